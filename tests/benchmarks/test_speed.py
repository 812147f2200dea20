"""The speed benchmark: what is counted, and what is compared with what."""

import json
import time
from functools import partial
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from benchmarks.speed import pairs
from benchmarks.speed.__main__ import main
from benchmarks.speed.generator import over_a_period, step_seconds, style_table
from benchmarks.speed.inference import TURNS, measure
from benchmarks.speed.operations import convolution_seconds, count_flop
from benchmarks.speed.pairs import peak_memory
from benchmarks.speed.timing import WARM_UP, Share, Spent, median_seconds, median_share, spent
from generator.config import GeneratorConfig
from generator.model import Generator
from kpdetect.training.checkpoints import save_weights
from kpdetect.training.cuda_graphs import WARM_STEPS
from kpdetect.training.machine import peak_resident
from kpdetect.training.runtime import resolve_runtime
from tests.builders.detectors import CONFIG as DETECTOR
from tests.builders.dots import perfect
from tests.builders.generators import TEST_MODEL


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
    taken = iter([Spent(seconds=3, processor=5), Spent(seconds=4, processor=10)] * TURNS)
    monkeypatch.setattr("benchmarks.speed.inference.median_seconds", lambda call, seconds: call() is None or 0.25)
    monkeypatch.setattr("benchmarks.speed.inference.spent", lambda call: call() is None or next(taken))
    rates = list(measure(perfect(side=32), blob_folder, 0.01, ("eager",)))
    assert [(rate.what, rate.batch) for rate in rates] == [("eager", 1), ("eager", 32), ("predict", 32)]
    assert [rate.images_per_second for rate in rates] == [4, 128, 6]  # 24 images in 4 seconds
    assert [rate.share for rate in rates] == [None, None, 0.75]
    assert rates[2].line().endswith("0.75 of eager (0.50 by processor time)")
    assert "of eager" not in rates[0].line()


@pytest.mark.slow
def test_peak_memory_is_that_of_the_process_alone():
    held = np.ones(400 * 2**20 // 8)  # 400 MiB here must not count there
    there = peak_memory("held = b'x' * (200 * 2**20)")
    assert 200 < there < peak_resident() / 2**20 - 100
    del held


def test_shares_are_medians_over_turns():
    whole = [Spent(seconds=one, processor=1) for one in (1.0, 9.0, 4.0)]
    turns = [Spent(seconds=one, processor=other) for one, other in ((2.0, 2), (9.0, 4), (5.0, 8))]
    assert median_share(turns, whole) == Share(clock=0.8, processor=0.25)  # of 0.5, 1 and 0.8; of a half, a quarter, an eighth
    began = spent(lambda: sum(range(100_000)))
    assert 0 < began.processor < 10


@pytest.mark.slow
def test_the_command_writes_what_it_prints(small_project, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    arguments = ["inference", str(small_project), "--seconds", "0.01", "--kinds", "onnx", "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path / "speed.json")]) == 0
    written = json.loads((tmp_path / "speed.json").read_text())
    assert [rate["what"] for rate in written["rates"]] == ["eager", "eager", "onnx", "onnx"]
    printed = capsys.readouterr().out
    assert all(f"{rate['images_per_second']:.1f} images/s" in printed for rate in written["rates"])
    assert main(["inference", str(tmp_path), "--device", "cpu"]) == 2
    assert "no trained detector here" in capsys.readouterr().err


def test_flop_of_a_convolution_by_hand():
    conv = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False)
    assert count_flop(lambda: conv(torch.zeros(2, 3, 7, 11))) == 2 * 2 * 7 * 11 * 3 * 5 * 9


def test_a_step_counts_both_networks_and_the_penalty_at_its_own_rate():
    class Counted:
        step = 5
        config = SimpleNamespace(optimiser=SimpleNamespace(r1_every=4, batch=2))

        def train_step(self):
            self.done = 100.0 if self.step % 4 == 0 else 60.0

    trainer = Counted()
    assert over_a_period(trainer, lambda call: call() or trainer.done) == (100 + 3 * 60) / 4


def test_a_steps_duration_and_the_share_that_it_waits(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def take(step):
        now[0] += 1.0

    class Timed:
        step, recorder = 0, None
        config = SimpleNamespace(optimiser=SimpleNamespace(r1_every=4, batch=2))
        batches = SimpleNamespace(take=take)

        def train_step(self):
            self.batches.take(self.step)
            now[0] += 9.0 if self.step % 4 == 0 else 4.0

    trainer = Timed()
    took, waiting = step_seconds(trainer, 0.0)
    assert took == (10 + 3 * 5) / 4
    assert waiting == 4 / (5 + 5 + 10 + 5)  # steps 2 to 5
    assert trainer.batches.take is take


def test_steps_that_are_replayed_are_recorded_before_they_are_timed():
    class Recorded:
        step, recorder = 0, object()
        config = SimpleNamespace(optimiser=SimpleNamespace(r1_every=4, batch=2))
        batches = SimpleNamespace(take=lambda step: None)
        seen: ClassVar[list[int]] = []

        def train_step(self):
            self.seen.append(self.step)

    step_seconds(Recorded(), 0.0)
    warm = Recorded.seen[:-4]  # a period is timed
    assert sum(step % 4 == 0 for step in warm) > WARM_STEPS
    assert sum(step % 4 != 0 for step in warm) > WARM_STEPS


def test_convolutions_alone_are_those_of_the_call(monkeypatch):
    conv, other = torch.nn.Conv2d(3, 5, 3, padding=1), torch.nn.Conv2d(5, 2, 1)
    called = []

    def median(call, seconds):
        called.append(call())
        return 1.0

    monkeypatch.setattr("benchmarks.speed.operations.median_seconds", median)
    images = torch.zeros(2, 3, 7, 11)
    # twice the first forward, once each of the second forward and the two backward (all gradients but that of the images)
    assert convolution_seconds(lambda: other(conv(images) + conv(images).detach()).sum().backward()) == 5
    shapes = sorted(tuple((each if isinstance(each, torch.Tensor) else each[1]).shape) for each in called)
    assert shapes == [(2, 2, 7, 11), (2, 5, 1, 1), (2, 5, 7, 11), (5, 3, 3, 3)]


def test_the_factorised_convolution_needs_fewer_operations(capsys):
    table = style_table(resolve_runtime("cpu", "float32"), 0.0, keypoints=3, embedding=32, side=16)
    operations = [float(line.split("|")[2]) for line in table.splitlines()[2:]]
    assert operations[1] < 0.5 * operations[0]


@pytest.mark.slow
def test_generator_speed_writes_its_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.speed.generator.median_seconds", lambda call, seconds: 0.5)
    monkeypatch.setattr("benchmarks.speed.generator.convolution_seconds", lambda call: 0.05)
    monkeypatch.setattr("benchmarks.speed.generator.step_seconds", lambda trainer, seconds: (0.1, 0.25))
    small = partial(style_table, keypoints=3, embedding=8, side=16)
    monkeypatch.setattr("benchmarks.speed.generator.style_table", small)
    arguments = ["generator", "--sizes", "32", "--presets", "tiny", "--precisions", "float32", "--seconds", "0"]
    arguments += ["--batch", "4", "--modes", "eager"]
    out = tmp_path / "speed.md"
    assert main([*arguments, "--device", "cpu", "--write", str(out), "--out", str(tmp_path / "speed.json")]) == 0
    (row,) = json.loads((tmp_path / "speed.json").read_text())["steps"]
    assert row["images/s"] == "40.0"  # a batch of 4 in a tenth of a second
    assert (row["against convolutions"], row["waiting for data"]) == ("2.00", "0.250")
    written = out.read_text()
    assert "| tiny 32 px | float32 | eager | 40.0 |" in written
    assert "| factorised | " in written
    assert "aten::" in written


@pytest.mark.slow
def test_pairs_speed_compares_with_drawing_alone(tmp_path, capsys, monkeypatch):
    measured = []

    def peak_here(call):
        exec(call, vars(pairs))
        measured.append(call)
        return float(len(measured))

    monkeypatch.setattr("benchmarks.speed.pairs.DetectorConfig", lambda: DETECTOR)
    monkeypatch.setattr("benchmarks.speed.pairs.peak_memory", peak_here)
    weights = tmp_path / "model.safetensors"
    config = GeneratorConfig(model=TEST_MODEL).model_dump(mode="json")
    facts = {"config": config, "images_seen": 0, "training_images": 0, "minutes": 0, "commit": "none"}
    save_weights(weights, "generator", Generator(TEST_MODEL).state_dict(), facts)
    arguments = [
        "pairs",
        str(weights),
        "--pairs",
        "64",
        "--steps",
        "1",
        "--turns",
        "2",
        "--memory",
        "64",
        "128",
        "--device",
        "cpu",
    ]
    assert main([*arguments, "--out", str(tmp_path / "speed.json")]) == 0
    found = json.loads((tmp_path / "speed.json").read_text())
    assert found["raw"]["share"]["clock"] > 0
    assert found["raw"]["bytes_per_pair"] > TEST_MODEL.size**2 * 3
    assert found["memory_mib"] == {"exported": {"64": 1, "128": 3}, "read": {"64": 2, "128": 4}}


@pytest.mark.slow
def test_folders_of_images_are_packed_and_recognised(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.speed.data.PICTURES", 10)
    arguments = ["data", "--files", "20", "40", "--picture", "30", "--within", str(tmp_path)]
    assert main([*arguments, "--out", str(tmp_path / "speed.json")]) == 0
    small, large = json.loads((tmp_path / "speed.json").read_text())["folders"]
    assert (small["files"], large["files"]) == (20, 40)
    assert all(small[phase] > 0 for phase in ("listed", "packed", "opened", "recognised"))
    assert small["peak_mib"] > 10
    assert [path.name for path in tmp_path.iterdir()] == ["speed.json"]
    assert "| 40 |" in capsys.readouterr().out
