"""The speed benchmark: what is counted, and what is compared with what."""

import json
import time

import pytest

from benchmarks.speed_inference import WARM_UP, main, measure, median_seconds
from tests.dots import perfect


def test_the_median_of_repetitions_after_a_warm_up(monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def call():
        calls.append(None)
        now[0] += 9.0 if len(calls) in (1, 5) else 2.0 if len(calls) == 6 else 1.0

    # timed: 1, 9, 2; five seconds are over after two of them, but three are the least
    assert median_seconds(call, 5.0) == 2.0
    assert len(calls) == WARM_UP + 3


def test_rates_and_shares(blob_folder):
    rates = list(measure(perfect(side=32), blob_folder, 0.01, ("eager",)))
    assert [(rate.what, rate.batch) for rate in rates] == [("eager", 1), ("eager", 32), ("predict", 32)]
    assert rates[2].share == pytest.approx(rates[2].images_per_second / rates[1].images_per_second)
    assert "of eager" in rates[2].line()
    assert "of eager" not in rates[0].line()


def test_the_command_writes_what_it_prints(small_project, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    arguments = [str(small_project), "--seconds", "0.01", "--kinds", "onnx", "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path / "speed.json")]) == 0
    written = json.loads((tmp_path / "speed.json").read_text())
    assert [rate["what"] for rate in written["rates"]] == ["eager", "eager", "onnx", "onnx"]
    printed = capsys.readouterr().out
    assert all(f"{rate['images_per_second']:.1f} images/s" in printed for rate in written["rates"])
    assert main([str(tmp_path), "--device", "cpu"]) == 2
    assert "no trained detector here" in capsys.readouterr().err
