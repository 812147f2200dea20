"""A checkpoint that version 0.1.0 wrote (tests/generator/judged-0.1.0.pt): `JUDGED` after two steps on the blobs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.data.folder import build_cache
from kpdetect.training.checkpoints import load_checkpoint
from kpdetect.training.run_folder import RunFolder
from tests.builders.generators import JUDGED, Maps
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_generator

OLD = Path(__file__).parent / "judged-0.1.0.pt"


def test_every_part_of_it_is_taken(blob_folder: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", JUDGED)
    shutil.copy(OLD, run.checkpoint)
    cache = build_cache(blob_folder, run.folder, 40, "centre", set())
    trainer = GeneratorTrainer(run, cache, JUDGED, CPU, feature_network=Maps())
    trainer.batches.close()
    old = load_checkpoint(OLD, "generator")
    assert trainer.stateful().keys() == old.keys() - {"step", "seconds", "data"}
    assert trainer.step == old["step"] == 2
    for name, part in trainer.stateful().items():
        assert states_equal(part.state_dict(), old[name]), name


@pytest.mark.slow
def test_it_is_continued(blob_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(OLD, tmp_path / "run" / "checkpoint.pt")
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(JUDGED, ["steps=3"]), CPU, feature_network=Maps())
    new, old = (load_checkpoint(path, "generator") for path in (tmp_path / "run" / "checkpoint.pt", OLD))
    assert new["step"] == 3
    assert new["data"] == old["data"]
    before, after = (torch.cat([value.flatten() for value in each["generator"].values()]) for each in (old, new))
    assert before.shape == after.shape
    assert not torch.equal(before, after)
