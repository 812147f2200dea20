"""The speed benchmark: what is counted, and what is compared with what."""

import json
import time

import pytest

from benchmarks.speed_inference import WARM_UP, _folder_rate, main, measure, median_seconds
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


def test_rates_and_shares(blob_folder, monkeypatch):
    monkeypatch.setattr("benchmarks.speed_inference.median_seconds", lambda call, seconds: call() is None or 0.25)
    monkeypatch.setattr("benchmarks.speed_inference._folder_rate", lambda predictor, images: 96.0)
    rates = list(measure(perfect(side=32), blob_folder, 0.01, ("eager",)))
    assert [(rate.what, rate.batch) for rate in rates] == [("eager", 1), ("eager", 32), ("predict", 32)]
    assert [rate.images_per_second for rate in rates] == [4, 128, 96]  # a quarter of a second for one image, and for 32
    assert [rate.share for rate in rates] == [None, None, 0.75]
    assert "of eager" in rates[2].line()
    assert "of eager" not in rates[0].line()


def test_the_rate_of_a_folder_counts_its_images(blob_folder, monkeypatch):
    now = iter([10.0, 14.0])
    monkeypatch.setattr("benchmarks.speed_inference.time.perf_counter", lambda: next(now))
    assert _folder_rate(perfect(side=32), blob_folder) == 24 / 4.0


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
