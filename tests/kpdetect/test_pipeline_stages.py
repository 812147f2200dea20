"""Stages of a project that were interrupted, or made from something that is different by now."""

import shutil

import pytest

from kpdetect.data.schema import Manifest
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labelling import change_labels
from kpdetect.project import outdated
from kpdetect.project.job import ProjectJob
from kpdetect.training.checkpoints import load_checkpoint, read_description
from tests.builders.projects import run_small

pytestmark = pytest.mark.slow


class Interrupted(Exception):
    """Ctrl-C."""


def interrupt_removal(patch, before):
    """Let the removal of the folder with the name `before` be interrupted before it begins."""
    clear = outdated._clear

    def some(folder, keep):
        if folder.name == before:
            raise Interrupted
        clear(folder, keep)

    patch.setattr(outdated, "_clear", some)


def test_a_removal_that_was_interrupted_is_taken_up_again(project, toy, tmp_path, monkeypatch):  # noqa: F811
    """The removal of five folders is interrupted after each of them but the last. What it left is recognised each time."""
    images, out = toy / "unlabelled" / "images", tmp_path / "project"
    shutil.copytree(project, out)
    stages = ["taught-1", "refined", "detector", "pairs"]
    for number, stage in enumerate(stages):
        with monkeypatch.context() as patch:
            interrupt_removal(patch, stage)
            with pytest.raises(Interrupted):
                run_small(images, out, "generator.steps=4")
        assert [name for name in stages if (out / name).is_dir() and any((out / name).iterdir())] == stages[number:]
    run_small(images, out, "generator.steps=4", last="detector")
    generator = Manifest.read(out / "pairs").facts.provenance["generator"]
    assert read_description(out / "detector" / "model.safetensors")["provenance"]["generator"] == generator
    assert read_description(out / "refined" / "model.safetensors")["provenance"]["generator"] == generator


def test_more_pairs_start_the_detector_anew(project, toy, tmp_path, capsys):  # noqa: F811
    images, out = toy / "unlabelled" / "images", tmp_path / "project"
    shutil.copytree(project, out)
    shards = Manifest.read(out / "pairs").shards
    change_labels(out, names=["0=nose"])
    run_small(images, out, "pairs.count=130", last="detector")
    assert "the pairs have changed: detectors and predictions are made again" in capsys.readouterr().err
    assert Manifest.read(out / "pairs").shards[0] == shards[0]
    assert read_description(out / "detector" / "model.safetensors")["pairs"] == 130
    assert "nose" in (out / "taught-1" / "keypoints.yaml").read_text()  # somebody's work
    first = read_description(out / "refined" / "model.safetensors")["first_stage"]
    assert str(load_checkpoint(out / "refined" / "checkpoint.pt", "detector")["data"]).split("/")[1] == first
    run_small(images, out, "pairs.count=100", last="detector")  # fewer than there are: nothing to be done
    assert Manifest.read(out / "pairs").count == 130
    assert "anew" not in capsys.readouterr().err


def test_a_refinement_that_is_left_out_discards_an_outdated_one(project, toy, tmp_path, monkeypatch, capsys):  # noqa: F811
    images, out = toy / "unlabelled" / "images", tmp_path / "project"
    shutil.copytree(project, out)
    monkeypatch.setattr(ProjectJob, "reason_without_refinement", lambda job: "there is no time")
    run_small(images, out, last="detector")
    assert (out / "refined" / "model.safetensors").exists()  # it belongs to the detector
    run_small(images, out, "detector.steps=20", last="detector")
    assert not (out / "refined" / "model.safetensors").exists()
    assert read_description(out / "taught-1" / "model.safetensors")["provenance"]["pseudo_labels_of"] == file_hash(
        out / "detector" / "model.safetensors"
    )
    said = capsys.readouterr().err
    assert said.count("refinement is not trained further: there is no time") == 1
    assert said.count("refinement is left out: there is no time") == 1


def test_what_a_person_wrote_outlives_the_results_that_are_made_again(tmp_path, capsys):
    kept = [tmp_path / "predictions" / "corrections.csv", tmp_path / "refined" / "keypoints.yaml"]
    removed = [tmp_path / "predictions" / "predictions.csv", tmp_path / "refined" / "model.safetensors"]
    for path in (*kept, *removed):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    outdated._discard(tmp_path, "refined", "the detector has changed")
    assert [path.exists() for path in (*kept, *removed)] == [True, True, False, False]
    assert f"{kept[0]} is kept: the keypoints that a person checked" in capsys.readouterr().err
