"""Annotations from Label Studio: names, percent, what is left out, and what is refused with the task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmarks.datasets.annotation_formats import read_annotations
from benchmarks.datasets.own_table import TableOptions, load_table
from kpdetect.errors import FormatError
from kpdetect.images.image_files import write_image
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton
from tests.builders.annotations import written

HEIGHT, WIDTH = 30, 40


def region(name: str, x: float, y: float, **changes: Any) -> dict[str, Any]:
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    value = {"x": x, "y": y, "width": 0.5, "keypointlabels": [name]}
    return {"id": "r", "type": "keypointlabels", "to_name": "image", **size, "value": value, **changes}


def task(image: str, *regions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"image": image}, "annotations": [{"id": 1, "result": list(regions)}], **changes}


BOX = {"type": "rectanglelabels", "value": {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["fly"]}}


def read(folder: Path, *tasks: Any) -> Any:
    return read_annotations(written(folder, "ls.json", json.dumps(tasks)))


def test_percent_are_measured_at_pixel_edges(tmp_path: Path) -> None:
    tasks = [
        task("/data/local-files/?d=sub%20dir/%C3%A4.png", BOX, region("nose", 12.5, 50), region("tail", 100, 0)),
        task("/data/upload/3/0a1b2c3d-b.png", region("tail", 50, 10)),
        task("https://example.org/set/c.png", region("nose", 0, 100)),
        task("d.png", annotations=[]),
        task("e.png", annotations=[{"result": [], "was_cancelled": True}]),
        task("f.png"),
    ]
    table = read(tmp_path, *tasks)
    assert table.images == ["sub dir/ä.png", "b.png", "set/c.png", "f.png"]
    assert table.landmarks == ("nose", "tail")
    hidden = [np.nan, np.nan]
    expected = [[[4.5, 14.5], [39.5, -0.5]], [hidden, [19.5, 2.5]], [[-0.5, 29.5], hidden], [hidden, hidden]]
    np.testing.assert_allclose(table.points_px, expected)
    assert table.sizes.tolist() == [[HEIGHT, WIDTH]] * 3 + [[0, 0]]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            [task("a.png", region("nose", 1, 2), region("nose", 3, 4))],
            r"task 0 \(id 7\): a second keypoint nose; keep one object",
        ),
        ([task("a.png", region("nose", 1, 2)), task("a.png")], r"task 1 .*: a.png is already the image of .*task 0"),
        ([task("a.png", annotations=2 * [{"result": []}])], "2 annotations; keep one for each image"),
        ([task("a.png", annotations=[])], "no task has an annotation"),
        ([task("a.png", region("nose", 1, 2, original_width=None))], "region 0: lacks original_width or original_height"),
        ([task("a.png", region("nose", 1, 2, image_rotation=90))], "region 0: the image was rotated by 90 degrees"),
        (
            [task("a.png", region("nose", 1, 2), region("tail", 1, 2, original_width=80))],
            "the regions state different sizes, 40x30 and 80x30 pixels",
        ),
        ([task("a.png", BOX, region("nose", 1, 2, value={"x": 1, "y": 2}))], "region 1: keypointlabels: Field required"),
        ([task("a.png", region("nose", "1", 2))], "region 0: x: Input should be a valid number"),
        ([task("", region("nose", 1, 2))], "data has no text `image`"),
        ([{"id": 1, "image": "a.png", "kp": []}], r"ls.json: 0\.data: Field required; export the project again, as JSON"),
        ([task("a.png"), 3], r"ls.json: 1: "),
    ],
)
def test_faults_are_named_by_task(tmp_path: Path, tasks: list[Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(tmp_path, *tasks)


def exported(folder: Path) -> Path:
    """What this project's own writer makes of five images whose keypoints a person has checked, the last of which is hidden."""
    names = [f"sub/{number} ü.png" for number in range(5)]
    points = np.array([[[number, 2.25], [30.5, 20 - number]] for number in range(5)], np.float32)
    confidence = np.ones((5, 2), np.float32)
    confidence[4, 1] = 0
    found = Predictions(
        images=names, keypoints_px=points, confidence=confidence, sizes=np.tile([[HEIGHT, WIDTH]], (5, 1)),
        human=np.ones((5, 2), np.bool_), skeleton=Skeleton(numbers=(0, 1), names=("nose", "tail"), links=(), pairs=()),
    )  # fmt: skip
    write_formats(found, ["label-studio"], folder, 0.3)
    for name in names:
        write_image(folder / "images" / name, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return folder / "predictions-label-studio.json"


def test_what_the_writer_writes_is_read_back(tmp_path: Path) -> None:
    path = exported(tmp_path)
    _, found = load_table(path, tmp_path / "images", TableOptions())
    assert found.images == ["sub/0 ü.png", "sub/1 ü.png", "sub/2 ü.png", "sub/4 ü.png"]
    expected = [[[number, 2.25], [30.5, 20 - number]] for number in (0, 1, 2, 4)]
    expected[3][1] = [np.nan, np.nan]
    np.testing.assert_allclose(found.landmarks_px, expected, atol=1e-4)


@pytest.mark.parametrize(("size", "orientation", "message"), [((60, 80), 1, "was the image resized"), ((30, 40), 6, "EXIF")])
def test_sizes_are_those_of_the_images(tmp_path: Path, size: tuple[int, int], orientation: int, message: str) -> None:
    path, picture = exported(tmp_path), Pillow.fromarray(np.zeros((*size, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "images" / "sub" / "1 ü.png", exif=exif)
    with pytest.raises(
        FormatError, match=rf"task 1 \(id None\): the annotations state 40x30 pixels for sub/1 ü.png.*{message}"
    ):
        load_table(path, tmp_path / "images", TableOptions())


def test_predictions_alone_are_no_annotations(tmp_path: Path) -> None:
    exported(tmp_path)
    found = Predictions(
        images=["a.png"], keypoints_px=np.ones((1, 2, 2), np.float32), confidence=np.ones((1, 2), np.float32),
        sizes=np.array([[HEIGHT, WIDTH]]),
    )  # fmt: skip
    write_formats(replace(found), ["label-studio"], tmp_path, 0.3)
    with pytest.raises(FormatError, match="no task has an annotation; mark the keypoints in Label Studio"):
        read_annotations(tmp_path / "predictions-label-studio.json")
