"""Corrections keep the weights on whose predictions a person made them, and count only for these."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.annotation_formats import read_annotations
from kpdetect.errors import FormatError
from kpdetect.inference.corrections import Checked, Corrections, corrected, read_corrections
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.predictions import Predictions

POINTS = {
    0: Checked(at_px=(5.0, 6.0), by="moved", model="old", name="ear"),
    1: Checked(at_px=(7.0, 8.0), by="moved", model="new"),
    2: Checked(at_px=None, by="hidden", model="old"),
}
MIXED = Corrections(images={"a.png": POINTS, "b.png": {0: POINTS[0]}})


def predicted(folder: Path) -> Predictions:
    found = Predictions(
        images=["a.png", "b.png"],
        keypoints_px=np.full((2, 3, 2), 3, np.float32),
        confidence=np.full((2, 3), 0.5, np.float32),
        sizes=np.array([[20, 30], [20, 30]]),
    )
    return found.write(folder, {"model": "new"})


def test_every_row_keeps_its_own_weights_and_name(tmp_path: Path) -> None:
    MIXED.write(tmp_path, {0: "nose", 1: "eye"}, "new")
    lines = [line.split(",") for line in (tmp_path / "corrections.csv").read_text().splitlines()[1:]]
    assert [line[6:] for line in lines] == [["old", "ear"], ["new", "eye"], ["old", ""], ["old", "ear"]]
    again = read_corrections(tmp_path)
    again.with_image("b.png", None).write(tmp_path, {0: "nose"}, "new")
    lines = [line.split(",") for line in (tmp_path / "corrections.csv").read_text().splitlines()[1:]]
    assert [line[6:] for line in lines] == [["old", "ear"], ["new", "eye"], ["old", ""]]
    assert (again.others("new"), again.others("old")) == (3, 1)


def test_a_file_of_one_model_as_earlier_versions_wrote_it_is_read(tmp_path: Path) -> None:
    head = "image,keypoint,x_px,y_px,visible,by,model,name\n"
    (tmp_path / "corrections.csv").write_text(head + "a.png,0,5.000,6.000,1,moved,new,nose\na.png,1,,,0,hidden,new,\n")
    found = corrected(predicted(tmp_path), read_corrections(tmp_path), "new")
    assert found.human is not None
    assert found.human.tolist() == [[True, True, False], [False] * 3]
    assert found.keypoints_px[0, 0].tolist() == [5, 6]
    assert found.confidence[0].tolist() == [1, 0, 0.5]


def test_corrections_on_other_weights_are_no_points_of_a_person(tmp_path: Path) -> None:
    before = predicted(tmp_path)
    found = corrected(before, MIXED, "new")
    assert found.human is not None
    assert found.human.tolist() == [[False, True, False], [False] * 3]
    assert found.keypoints_px[0].tolist() == [[3, 3], [7, 8], [3, 3]]
    assert corrected(before, MIXED, "third") is before


def test_exports_leave_out_corrections_on_other_weights_and_say_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = predicted(tmp_path)
    MIXED.write(tmp_path, {}, "new")
    with caplog.at_level(logging.WARNING, logger="kpdetect"):
        write_formats(found, ["coco", "label-studio", "dlc-csv"], tmp_path)
    [said] = [record.getMessage() for record in caplog.records]
    assert "corrections.csv: 3 keypoints were corrected on predictions of other weights" in said
    assert f"confirm them on the page Review of `kpdetect studio {tmp_path}`" in said
    one, other = json.loads((tmp_path / "predictions-coco.json").read_text())["annotations"]
    assert one["keypoints"] == [3, 3, 2, 7, 8, 2, 3, 3, 2]
    assert (one["keypoint_human"], other["keypoint_human"]) == ([0, 1, 0], [0, 0, 0])
    tasks = json.loads((tmp_path / "predictions-label-studio.json").read_text())
    assert [len(task.get("annotations", [])) for task in tasks] == [1, 0]
    assert len(tasks[0]["annotations"][0]["result"]) == 1
    assert len((tmp_path / "CollectedData_human.csv").read_text().splitlines()) == 4


def test_a_format_that_is_refused_does_not_keep_others_from_being_written(tmp_path: Path) -> None:
    found = Predictions(
        images=["a.png", "a.jpg"], keypoints_px=np.ones((2, 3, 2), np.float32), confidence=np.ones((2, 3), np.float32),
        sizes=np.array([[20, 30], [20, 30]]),
    )  # fmt: skip
    refused: list[str] = []
    written = write_formats(found, ["yolo", "coco"], tmp_path, refused=refused)
    assert [path.name for path in written] == ["predictions-coco.json"]
    assert len(refused) == 1


def test_a_table_of_annotations_has_the_numbers_of_one_detector(tmp_path: Path) -> None:
    MIXED.write(tmp_path, {}, "new")
    path = tmp_path / "corrections.csv"
    message = (
        r"corrections.csv, line 3: a keypoint of the weights new, but line 2 is of old, .*; confirm the old ones on the page"
    )
    with pytest.raises(FormatError, match=message):
        read_annotations(path)
    path.write_text(path.read_text().replace(",new,", ",old,"))
    assert read_annotations(path).landmarks == ("0", "1", "2")
