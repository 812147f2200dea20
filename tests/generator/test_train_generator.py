"""The training loop: interrupted equals uninterrupted, refusals, and what a run folder holds."""

import json
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from generator.training.batches import RealBatches
from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import CheckpointError, ConfigError, TrainingError
from kpdetect.training.checkpoints import load_checkpoint, load_weights
from kpdetect.training.interrupts import StopRequest
from kpdetect.training.runtime import Runtime
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_generator

BFLOAT = Runtime(device=torch.device("cpu"), compute=torch.bfloat16)
SHORT = CONFIG.model_copy(update={"steps": 1})


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [CPU, BFLOAT], ids=["float32", "bfloat16"])
def test_interrupted_equals_uninterrupted(blob_folder, tmp_path, monkeypatch, runtime):
    fit_generator(blob_folder, tmp_path / "whole", CONFIG, runtime)
    step = GeneratorTrainer.train_step

    def killed_at_five(trainer):
        if trainer.step == 5:
            raise RuntimeError("killed")
        return step(trainer)

    monkeypatch.setattr(GeneratorTrainer, "train_step", killed_at_five)
    with pytest.raises(RuntimeError, match="killed"):
        fit_generator(blob_folder, tmp_path / "broken", CONFIG, runtime)
    monkeypatch.setattr(GeneratorTrainer, "train_step", step)
    assert load_checkpoint(tmp_path / "broken" / "checkpoint.pt", "generator")["step"] == 4
    fit_generator(blob_folder, tmp_path / "broken", CONFIG, runtime)

    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("whole", "broken")]
    assert ends[0]["step"] == 6
    assert states_equal(ends[0], ends[1])
    weights = [load_weights(tmp_path / name / "model.safetensors", "generator")[0] for name in ("whole", "broken")]
    assert states_equal(*weights)
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "broken")]
    timeless = [[{k: v for k, v in json.loads(line).items() if k not in ("seconds", "rate")} for line in run] for run in lines]
    assert timeless[0] == timeless[1]
    assert [row["step"] for row in timeless[0]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_training_changes_both_networks_and_the_average(blob_folder, tmp_path):
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=2"]), CPU)
    early = load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")
    fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)  # a larger budget continues
    late = load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")
    for network in ("generator", "discriminator", "average"):
        moved = [name for name, tensor in early[network].items() if not torch.equal(tensor, late[network][name])]
        assert len(moved) == len(early[network]), network


@pytest.mark.slow
def test_ctrl_c_saves_the_step_at_hand(blob_folder, tmp_path, monkeypatch):
    step = GeneratorTrainer.train_step

    def interrupted(trainer):
        if trainer.step == 2:
            signal.raise_signal(signal.SIGINT)
        return step(trainer)

    monkeypatch.setattr(GeneratorTrainer, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")["step"] == 3


@pytest.mark.slow
def test_a_request_that_comes_twice_does_not_cost_the_weights(blob_folder, tmp_path, monkeypatch):
    step, write = GeneratorTrainer.train_step, GeneratorTrainer.write_weights

    def asked(trainer):
        signal.raise_signal(signal.SIGTERM)
        return step(trainer)

    def asked_again(trainer):  # as torchrun does
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        write(trainer)

    monkeypatch.setattr(GeneratorTrainer, "train_step", asked)
    monkeypatch.setattr(GeneratorTrainer, "write_weights", asked_again)
    monkeypatch.setattr("kpdetect.training.interrupts.SAME_SECONDS", 1e9)
    with pytest.raises(KeyboardInterrupt):
        fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)
    _, description = load_weights(tmp_path / "run" / "model.safetensors", "generator")
    assert description["step"] == 1


def test_a_later_ctrl_c_stops_at_once(monkeypatch):
    clock = iter([5.0, 5.5, 6.5])
    monkeypatch.setattr("kpdetect.training.interrupts.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # the same one
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_run_folder_records_what_was_trained_on(blob_folder, tmp_path):
    fit_generator(TrainingImages(blob_folder, frozenset({"001.png"})), tmp_path / "run", CONFIG, CPU)
    names = [line.split(",")[0] for line in (tmp_path / "run" / "sources.csv").read_text().splitlines()]
    assert names == ["image", *(f"{number:03d}.png" for number in range(24) if number != 1)]
    _, description = load_weights(tmp_path / "run" / "model.safetensors", "generator")
    assert description["images_seen"] == 24
    assert description["training_images"] == 23
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == ["0000004.png", "0000006.png"]


@pytest.mark.slow
def test_other_images_are_refused_when_continuing(blob_folder, tmp_path):
    fit_generator(blob_folder, tmp_path / "run", SHORT, CPU)
    record = (tmp_path / "run" / "sources.csv").read_text()
    (blob_folder / "023.png").unlink()
    with pytest.raises(ConfigError, match="was trained on other images"):
        fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=8"]), CPU)
    assert (tmp_path / "run" / "sources.csv").read_text() == record


@pytest.mark.slow
def test_other_settings_are_refused_when_continuing(blob_folder, tmp_path):
    fit_generator(blob_folder, tmp_path / "run", SHORT, CPU)
    with pytest.raises(ConfigError, match=r"optimiser\.r1_weight: 10\.0 -> 1\.0"):
        fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["optimiser.r1_weight=1.0"]), CPU)


@pytest.mark.slow
def test_checkpoint_of_another_configuration_is_named(blob_folder, tmp_path):
    fit_generator(blob_folder, tmp_path / "run", SHORT, CPU)
    wider = apply_overrides(SHORT, ["model.spade_width=5"])
    fit_generator(blob_folder, tmp_path / "other", wider, CPU)
    (tmp_path / "other" / "checkpoint.pt").replace(tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="belongs to another configuration") as caught:
        fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=8"]), CPU)
    assert "\n" not in str(caught.value)


def test_slow_steps_are_saved_by_the_clock(blob_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("kpdetect.training.loop.SAVE_SECONDS", 0.0)
    step = GeneratorTrainer.train_step

    def killed_at_one(trainer):
        if trainer.step == 1:
            raise RuntimeError("killed")
        return step(trainer)

    monkeypatch.setattr(GeneratorTrainer, "train_step", killed_at_one)
    with pytest.raises(RuntimeError, match="killed"):
        fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")["step"] == 1


@pytest.mark.slow
def test_damaged_checkpoint_is_named(blob_folder, tmp_path):
    fit_generator(blob_folder, tmp_path / "run", SHORT, CPU)
    path = tmp_path / "run" / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(blob_folder, tmp_path, monkeypatch):
    step = GeneratorTrainer.train_step

    def broken(trainer):
        metrics = step(trainer)
        return metrics if trainer.step < 3 else metrics | {"loss_generator": torch.tensor(float("nan"))}

    monkeypatch.setattr(GeneratorTrainer, "train_step", broken)
    with pytest.raises(TrainingError, match="not finite at step 4; the last good checkpoint is kept"):
        fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)
    rarely = apply_overrides(CONFIG, ["checkpoint_every=100"])
    with pytest.raises(TrainingError, match="not finite at step 4; there is no checkpoint yet"):
        fit_generator(blob_folder, tmp_path / "other", rarely, CPU)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")["step"] == 2


def test_the_next_batch_is_prepared_and_the_same(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (7, 40, 40, 3), dtype=np.uint8)
    batches, made = RealBatches(images, 32, 4, CONFIG.data, seed=1), []
    expected = {step: batches.at(step) for step in range(9)}
    monkeypatch.setattr(batches, "at", lambda step: made.append(step) or expected[step])
    for step in (2, 3, 4, 7, 0):  # a run that continues, and jumps
        assert batches.take(step) is expected[step]
        while made[-1] != step + 1:  # the next one, unasked; the suite's time limit ends this
            time.sleep(0.001)
    batches.close()
    assert made == [2, 3, 4, 5, 7, 8, 0, 1]  # 5 and 8 were prepared in vain


@pytest.mark.slow
def test_minutes_count_over_continuations(blob_folder, tmp_path):
    assert isinstance(fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU, minutes=1e-9), Path)
    first = load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")
    fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU, minutes=1e-9)
    again = load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")
    assert first["step"] == again["step"] == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # torch warns of itself while tracing
def test_compiled_networks_leave_the_same_checkpoints(blob_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("kpdetect.training.runtime.BACKEND", "eager")  # traced, and run as it is
    fit_generator(blob_folder, tmp_path / "plain", CONFIG, CPU)
    traced = Runtime(device=CPU.device, compute=CPU.compute, compiled=True)
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=4"]), traced)
    fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)  # goes on without
    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("plain", "run")]
    assert ends[0]["generator"].keys() == ends[1]["generator"].keys()
    for name, tensor in ends[0]["discriminator"].items():
        torch.testing.assert_close(tensor, ends[1]["discriminator"][name], atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_metrics_as_tensorboard_events(blob_folder, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watched = Runtime(device=CPU.device, compute=CPU.compute, events=True)
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=3"]), watched)
    fit_generator(blob_folder, tmp_path / "run", CONFIG, watched)
    found = EventAccumulator(str(tmp_path / "run" / "events")).Reload()
    assert [event.step for event in found.Scalars("loss_generator")] == [1, 2, 3, 4, 5, 6]
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    logged = [line["r1"] for line in lines if "r1" in line]
    assert [event.value for event in found.Scalars("r1")] == pytest.approx(logged, rel=1e-5)
