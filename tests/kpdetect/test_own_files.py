"""Files that the user put into a folder of results are neither replaced nor removed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.studies.measured_rows import MeasuredNumber, write_measured
from generator.editing.output import Edited, write_edited
from kpdetect.data.derived_files import DERIVED, recorded, rewritten
from kpdetect.errors import OutputError
from kpdetect.files.atomic import write_json, write_text
from kpdetect.inference.corrections import Checked, Corrections
from kpdetect.inference.earlier_results import pictures_of
from kpdetect.inference.formats.choice import LABELLED, write_formats
from kpdetect.inference.predictions import Predictions
from kpdetect.toy.dataset import write_toy

MINE = "this file exists, and no such command wrote it; remove it, or give another folder"
FOUND = Predictions(
    images=["a.png", "b.png"],
    keypoints_px=np.full((2, 2, 2), 3, np.float32),
    confidence=np.ones((2, 2), np.float32),
    sizes=np.tile([20, 40], (2, 1)),
)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def predicted(folder, **more):
    FOUND.write(folder, {"model": "one", **more})
    return folder


def test_a_file_that_no_command_wrote_is_refused_before_anything_changes(tmp_path):
    with rewritten(tmp_path, "pictures", ["1.png"]):
        write_text(tmp_path / "1.png", "ours")
    write_text(tmp_path / "2.png", "mine")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=f"2.png: {MINE}"), rewritten(tmp_path, "pictures", ["2.png", "3.png"]):
        raise AssertionError
    assert contents(tmp_path) == before


def test_files_of_an_interrupted_call_are_ours(tmp_path):
    """Other processes of the call may write files after its record was completed."""
    names = ["1.png", "2.png", "3.png"]

    def interrupted():
        with rewritten(tmp_path, "pictures", names):
            write_text(tmp_path / "1.png", "ours")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    write_text(tmp_path / "2.png", "ours, too")
    with rewritten(tmp_path, "pictures", names[1:]):
        assert set(contents(tmp_path)) == {"2.png", DERIVED}


def test_a_format_replaces_its_own_files_only(tmp_path):
    predicted(tmp_path, engine="torch")
    write_text(tmp_path / "yolo/labels/a.txt", "mine")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=f"yolo/labels/a.txt: {MINE}"):
        write_formats(FOUND, ["yolo"], tmp_path)
    assert contents(tmp_path) == before
    (tmp_path / "yolo/labels/a.txt").unlink()
    for _ in range(2):
        write_formats(FOUND, ["yolo", "coco"], tmp_path)


def test_two_formats_share_the_file_of_checked_images(tmp_path):
    predicted(tmp_path, engine="torch")
    points = {number: Checked(at_px=(1.0, 2.0), by="moved") for number in range(2)}
    Corrections(images={"a.png": points}).write(tmp_path, {0: "keypoint0", 1: "keypoint1"}, "one")
    write_text(tmp_path / LABELLED, "mine")
    with pytest.raises(OutputError, match=f"{LABELLED}: {MINE}"):
        write_formats(FOUND, ["dlc-csv"], tmp_path)
    (tmp_path / LABELLED).unlink()
    with rewritten(tmp_path, "predictions, dlc-h5", [LABELLED]):
        write_text(tmp_path / LABELLED, "of the other format")
    for _ in range(2):
        write_formats(FOUND, ["dlc-csv"], tmp_path)
    assert LABELLED in recorded(tmp_path)["predictions, dlc-csv"].files


def test_formats_of_the_first_version_are_written_again(tmp_path):
    """It kept no list of its files, and named no engine."""
    predicted(tmp_path)
    write_formats(FOUND, ["yolo", "coco"], tmp_path)
    (tmp_path / DERIVED).unlink()
    write_formats(FOUND, ["yolo", "coco"], tmp_path)


def test_a_picture_of_the_name_of_an_overlay_is_refused(tmp_path):
    predicted(tmp_path, engine="torch")
    write_text(tmp_path / "overlays/a.png", "mine")
    before = contents(tmp_path)
    with (
        pytest.raises(OutputError, match=f"overlays/a.png: {MINE}"),
        pictures_of(tmp_path, {"model": "two"}, ["overlays/a.png"]),
    ):
        raise AssertionError
    assert contents(tmp_path) == before


def test_predictions_without_other_results_adopt_no_files(tmp_path):
    predicted(tmp_path, engine="torch")
    mine = {"overlays/a.png", "predictions-coco.json"}
    for name in mine:
        write_text(tmp_path / name, "mine")
    with pictures_of(tmp_path, {"model": "two"}, ["overlays/b.png"]):
        write_text(tmp_path / "overlays/b.png", "ours")
    assert set(contents(tmp_path)) == {*mine, "overlays/b.png", "predictions.csv", DERIVED}


def test_an_edit_replaces_no_image_of_a_toy_set(tmp_path):
    write_toy(tmp_path, 2, size=16)
    before = contents(tmp_path)
    edited = Edited(samples=[0], parts=[], before=np.zeros((0, 8, 8, 3), np.uint8), after=np.zeros((0, 8, 8, 3), np.uint8))
    with pytest.raises(OutputError, match=f"images/000000.png: {MINE}"):
        write_edited(None, edited, SimpleNamespace(sources=()), tmp_path)
    write_json(tmp_path / "edits.json", {"files": ["before/000007.png"]})
    write_text(tmp_path / "before/000007.png", "of an earlier edit")
    with pytest.raises(OutputError, match=f"images/000000.png: {MINE}"):
        write_edited(None, edited, SimpleNamespace(sources=()), tmp_path)
    assert set(contents(tmp_path)) == {*before, "edits.json", "before/000007.png"}


def test_measured_numbers_replace_those_of_an_earlier_version_only(tmp_path):
    rows = [MeasuredNumber(name="error", value=0.5)]
    write_text(tmp_path / "measured.json", "{}")
    with pytest.raises(OutputError, match=f"measured.json: {MINE}"):
        write_measured(rows, tmp_path, tmp_path, {})
    (tmp_path / "measured.json").unlink()
    write_measured(rows, tmp_path, tmp_path, {})
    (tmp_path / DERIVED).unlink()  # version 0.1.0 wrote none
    write_measured(rows, tmp_path, tmp_path, {})
