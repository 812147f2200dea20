"""Runs that have failed stop, say why, and keep their last good checkpoint; healthy ones go on."""

import pytest
import torch

from generator.config import CollapseConfig
from generator.training.collapse import CollapseWatch
from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.errors import TrainingError
from kpdetect.training.checkpoints import load_checkpoint
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.trainings import fit_generator

HEALTHY = {"keypoint_motion": 0.05, "image_variation": 0.4, "loss_discriminator": 1.2}


def watch(**values):
    return CollapseWatch(CollapseConfig(**{"after_images": 40, "patience": 3, **values}), batch=4)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("keypoint_motion", 0.001, "no longer move"), ("image_variation", 0.01, "alike"), ("loss_discriminator", 0.0, "has won")],
)
def test_each_sign_counts_only_in_a_row_and_after_the_start(name, value, said):
    found = watch()
    bad = HEALTHY | {name: value}
    assert [found.look(step, bad) for step in range(10)] == [None] * 10  # 40 images have not been seen before step 10
    assert [found.look(step, bad) for step in (10, 11)] == [None, None]
    assert found.suspicious
    assert found.look(12, HEALTHY) is None
    assert not found.suspicious
    assert [found.look(step, bad) for step in (13, 14)] == [None, None]
    assert said in found.look(15, bad)


def test_counts_survive_a_checkpoint():
    found, again = watch(), watch()
    for step in (10, 11):
        found.look(step, HEALTHY | {"keypoint_motion": 0.0})
    again.load_state_dict(found.state_dict())
    assert again.look(12, HEALTHY | {"keypoint_motion": 0.0}) is not None


@pytest.mark.slow
def test_a_collapsed_run_stops_and_keeps_the_checkpoint_from_before(blob_folder, tmp_path, monkeypatch):
    config = apply_overrides(CONFIG, ["steps=40", "checkpoint_every=1", "collapse.after_images=0", "collapse.patience=10"])
    original = GeneratorTrainer.update_generator

    def still_from_step_five(trainer, *given):
        metrics = original(trainer, *given)
        return metrics | {
            "keypoint_motion": torch.tensor(0.0 if trainer.step >= 5 else 0.1),
            "image_variation": torch.tensor(1.0),
        }

    monkeypatch.setattr(GeneratorTrainer, "update_generator", still_from_step_five)
    with pytest.raises(TrainingError, match=r"collapsed at step 14.*no longer move"):
        fit_generator(blob_folder, tmp_path / "run", config, CPU)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator")["step"] <= 6


@pytest.mark.slow
def test_the_metrics_of_a_healthy_start_are_far_from_the_thresholds(blob_folder, tmp_path):
    config = apply_overrides(CONFIG, ["collapse.after_images=0", "collapse.patience=1"])
    fit_generator(blob_folder, tmp_path / "run", config, CPU)
