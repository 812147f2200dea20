"""Inputs become names in one way, and nothing named after an input is written outside of its folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kpdetect.errors import InputError, OutputError
from kpdetect.files.names import below, component, is_writable, name_below, shown, spelt
from kpdetect.images.image_files import write_image
from kpdetect.inference.formats.yolo import write_yolo
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.sources import find_sources

GREY = np.full((6, 8, 3), 128, np.uint8)


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, GREY)
    return path


def test_names_of_inputs_in_and_above_the_working_folder_stay_below_their_common_folder(tmp_path, monkeypatch):
    picture(tmp_path / "photos" / "a.png")
    picture(tmp_path / "x" / "cwd" / "new" / "b.png")
    monkeypatch.chdir(tmp_path / "x" / "cwd")
    sources = find_sources(["../../photos/a.png", "new/b.png"])
    assert sources.root == tmp_path
    assert sources.names == ["photos/a.png", "x/cwd/new/b.png"]
    assert find_sources(["../../photos", "../cwd/new"]).names == ["photos/a.png", "x/cwd/new/b.png"]


def test_a_file_spelt_in_several_ways_is_one_input(tmp_path, monkeypatch):
    picture(tmp_path / "cwd" / "new" / "b.png")
    (tmp_path / "linked").symlink_to(tmp_path / "cwd" / "new")
    monkeypatch.chdir(tmp_path / "cwd")
    spellings = ["new/b.png", "../cwd/new/b.png", str(tmp_path / "cwd" / "new" / "b.png"), "./new//b.png", "new", "../linked"]
    assert len(find_sources(spellings).images) == 1
    assert len(find_sources(["webcam:0", "webcam:0"]).clips) == 1


def test_two_dots_after_a_link_mean_the_folder_above_its_target(tmp_path):
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "far" / "a.txt").touch()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "inner")
    assert spelt(tmp_path / "link" / ".." / "a.txt") == tmp_path / "far" / "a.txt"
    assert spelt(tmp_path / "link" / "x" / ".." / "b.txt") == tmp_path / "link" / "b.txt"


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/a.png", "", ".", "..", "a\0.png", "..\\a.png"])
def test_a_name_that_leads_out_of_its_folder_is_never_written(tmp_path, name):
    with pytest.raises(OutputError, match="outside"):
        below(tmp_path, name)


def test_writers_of_files_named_after_images_refuse_to_leave_their_folder(tmp_path):
    predictions = Predictions(
        images=["../../stolen.png"],
        keypoints_px=np.zeros((1, 2, 2), np.float32),
        confidence=np.ones((1, 2), np.float32),
        sizes=np.array([[6, 8]]),
    )
    with pytest.raises(OutputError, match="outside"):
        write_yolo(predictions, 0.0, tmp_path / "a" / "b")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with pytest.raises(InputError, match="outside"):
        name_below(tmp_path / "a" / ".." / "b.png", tmp_path / "a")


def test_videos_get_folders_of_their_own_whatever_they_are_called(tmp_path):
    for name in ("...mp4", "..avi", "a.mp4", "A.avi", "webcam0.mp4", "d/x.mp4", "e/x.mp4", "x-2.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(tmp_path / name) for name in os.listdir(tmp_path) if name.endswith((".mp4", ".avi"))]
    names = [clip.name for clip in find_sources([*found, str(tmp_path / "d"), str(tmp_path / "e"), "webcam:0"]).clips]
    assert len({name.casefold() for name in names}) == len(names) == 9
    assert not [name for name in names if not name.strip(".") or "/" in name]
    assert component("..", "...mp4") == "---mp4"


def test_names_that_no_table_can_hold_are_known_and_can_be_shown():
    assert [is_writable(name) for name in ("a b.png", "ä\u0301.png", "a\n.png", "caf\udce9.png", "a\x1b.png")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert shown("caf\udce9\n.png") == "caf\\xe9\\x0a.png"


def test_inputs_that_results_would_be_written_over_are_refused(tmp_path):
    from kpdetect.inference.prediction_job import predict_inputs

    path = picture(tmp_path / "out" / "overlays" / "a.png")
    before = path.read_bytes()
    with pytest.raises(InputError, match="another `out`"):
        predict_inputs("toy-32", [str(path)], tmp_path / "out")
    assert path.read_bytes() == before
