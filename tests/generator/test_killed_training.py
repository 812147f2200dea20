"""What a run folder holds after a kill at a chosen moment and the same command again: what an uninterrupted run leaves."""

import json

import cv2
import numpy as np
import pytest

from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import resolve_runtime
from tests.builders.blobs import write_blobs
from tests.builders.generators import CONFIG
from tests.builders.trainings import fit_generator

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """Stands for the kill: nothing of the program handles it."""


def config():
    changes = ["steps=6", "checkpoint_every=4", "sample_every=100", "optimiser.r1_every=4"]
    return apply_overrides(CONFIG, changes)


def train(images, out):
    fit_generator(images, out, config(), resolve_runtime("cpu", "float32"))


def metrics(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "rate")} for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(write_blobs(folder / "blobs"), folder / "run")
    return folder / "run"


@pytest.mark.parametrize("step", [2, 5])
def test_metrics_are_those_of_an_uninterrupted_run(blob_folder, tmp_path, whole, monkeypatch, step):
    """Killed in step 2, before any checkpoint; and in step 5, after that of step 4: `r1` is measured in steps 1 and 5 only."""
    real = RunFolder.log

    def failing(self, **values):
        real(self, **values)
        if values["step"] == step:
            raise Killed

    monkeypatch.setattr(RunFolder, "log", failing)
    with pytest.raises(Killed):
        train(blob_folder, tmp_path / "killed")
    monkeypatch.undo()
    train(blob_folder, tmp_path / "killed")
    assert [line["step"] for line in metrics(tmp_path / "killed")] == [1, 2, 3, 4, 5, 6]
    assert metrics(tmp_path / "killed") == metrics(whole)


def test_the_sheet_is_there_after_a_kill_behind_the_weights(blob_folder, tmp_path, whole, monkeypatch):
    real = GeneratorTrainer.write_weights

    def failing(self):
        real(self)
        raise Killed

    monkeypatch.setattr(GeneratorTrainer, "write_weights", failing)
    with pytest.raises(Killed):
        train(blob_folder, tmp_path / "killed")
    monkeypatch.undo()
    train(blob_folder, tmp_path / "killed")
    names = {path.relative_to(whole) for path in whole.rglob("*")}
    assert {path.relative_to(tmp_path / "killed") for path in (tmp_path / "killed").rglob("*")} == names
    sheets = [cv2.imread(str(folder / "samples" / "0000006.png")) for folder in (whole, tmp_path / "killed")]
    np.testing.assert_array_equal(*sheets)
