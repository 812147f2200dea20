"""Early stopping: the best weights are kept, the run ends, and an interrupted one goes on exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from generator.config import StoppingConfig
from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.errors import ConfigError
from kpdetect.project.pipeline import run_project
from kpdetect.training.checkpoints import load_checkpoint, load_weights
from tests.builders.generators import CONFIG, GROWING
from tests.builders.projects import SMALL
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_generator

WATCHED = apply_overrides(CONFIG, ["stopping.patience=2", "stopping.every=2", "stopping.images=70", "steps=12"])


def scripted(values: list[float]) -> Callable[[np.ndarray], Callable[[np.ndarray], float]]:
    """Distances as given, one after the other; both sets of images must be what they should be."""
    left: Iterator[float] = iter(values)

    def to(real: np.ndarray) -> Callable[[np.ndarray], float]:
        assert (real.shape, real.dtype) == ((70, 32, 32, 3), np.uint8)

        def distance(drawn: np.ndarray) -> float:
            assert (drawn.shape, drawn.dtype) == ((70, 32, 32, 3), np.uint8)
            return next(left)

        return distance

    return to


def brightness(real: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda drawn: abs(float(drawn.mean()) - float(real.mean()))


@pytest.mark.slow
def test_the_best_weights_are_kept_and_the_run_ends(
    blob_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = fit_generator(blob_folder, tmp_path / "run", WATCHED, CPU, distance_to=scripted([5.0, 3.0, 4.0, 3.5]))
    tensors, description = load_weights(weights, "generator")
    assert (description["step"], description["kept_step"], description["images_seen"]) == (8, 4, 16)
    assert description["distance"] == 3.0
    assert "stopped early: the distance was least at step 4 (3), whose weights are kept; 2 meas" in capsys.readouterr().err
    plain = fit_generator(blob_folder, tmp_path / "plain", apply_overrides(CONFIG, ["steps=4"]), CPU)
    assert load_weights(plain, "generator")[1]["distance"] is None
    assert states_equal(tensors, load_weights(plain, "generator")[0])
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert [(line["step"], line["distance"]) for line in lines if "distance" in line] == [(2, 5), (4, 3), (6, 4), (8, 3.5)]
    fit_generator(blob_folder, tmp_path / "run", WATCHED, CPU, distance_to=scripted([]))  # it is over
    assert "stopped early" not in capsys.readouterr().err
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")["step"] == 8


@pytest.mark.slow
def test_interrupted_equals_uninterrupted(blob_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = apply_overrides(WATCHED, ["steps=6", "stopping.patience=9"])
    fit_generator(blob_folder, tmp_path / "whole", config, CPU, distance_to=brightness)
    step = GeneratorTrainer.train_step

    def killed_at_five(trainer: GeneratorTrainer) -> dict:
        if trainer.step == 5:
            raise RuntimeError("killed")
        return step(trainer)

    monkeypatch.setattr(GeneratorTrainer, "train_step", killed_at_five)
    with pytest.raises(RuntimeError, match="killed"):
        fit_generator(blob_folder, tmp_path / "broken", config, CPU, distance_to=brightness)
    monkeypatch.setattr(GeneratorTrainer, "train_step", step)
    fit_generator(blob_folder, tmp_path / "broken", config, CPU, distance_to=brightness)
    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("whole", "broken")]
    assert ends[0]["watch"]["best"] > 0
    assert states_equal(*ends)
    assert states_equal(*(load_weights(tmp_path / name / "model.safetensors", "generator")[0] for name in ("whole", "broken")))


@pytest.mark.slow
def test_measuring_changes_nothing(blob_folder: Path, tmp_path: Path) -> None:
    config = apply_overrides(WATCHED, ["steps=4", "stopping.patience=9"])
    fit_generator(blob_folder, tmp_path / "watched", config, CPU, distance_to=scripted([1.0, 2.0]))
    fit_generator(blob_folder, tmp_path / "plain", apply_overrides(CONFIG, ["steps=4"]), CPU)
    watched, plain = (load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("watched", "plain"))
    watched.pop("watch")
    assert states_equal(watched, plain)


@pytest.mark.slow
def test_growing_models_are_measured_at_their_full_size_only(blob_folder: Path, tmp_path: Path, first_is_32: None) -> None:
    config = apply_overrides(GROWING, ["stopping.patience=9", "stopping.every=1", "stopping.images=3", "steps=5"])
    sizes = []

    def to(real: np.ndarray) -> Callable[[np.ndarray], float]:
        sizes.append(real.shape[1])
        return lambda drawn: sizes.append(drawn.shape[1]) or 1.0

    weights = fit_generator(blob_folder, tmp_path / "run", config, CPU, distance_to=to)
    assert sizes == [64, 64, 64]  # the real images, and drawn ones after steps 4 and 5: 2 steps of 32 px, 2 fading in
    assert load_weights(weights, "generator")[1]["kept_step"] == 4


def test_patience_needs_a_distance(blob_folder: Path, tmp_path: Path) -> None:
    assert StoppingConfig().patience == 0
    with pytest.raises(ConfigError, match=r"stopping\.patience: needs a distance"):
        fit_generator(blob_folder, tmp_path / "run", WATCHED, CPU)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_project_may_end_with_its_generator_and_watch_it(blob_folder: Path, tmp_path: Path) -> None:
    watch = ["generator.stopping.patience=1", "generator.stopping.every=2", "generator.stopping.images=20"]
    overrides = [*SMALL, *watch, "generator.stopping.features=random"]
    run_project(blob_folder, tmp_path / "project", size=32, keypoints=4, overrides=overrides, device="cpu", last="generator")
    assert load_weights(tmp_path / "project" / "generator" / "model.safetensors", "generator")[1]["kept_step"] == 2
    assert not (tmp_path / "project" / "pairs").exists()
