"""Crops of protocols: which pixels a model is shown, and that its keypoints come back to the file exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpdetect
from benchmarks.benchmarking.benchmark import benchmark
from benchmarks.datasets.bbc_pose import load_bbc_pose
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.regions import boxes_around, cut_regions
from benchmarks.evaluation.baselines import pixel_features
from benchmarks.evaluation.evaluate import align
from benchmarks.evaluation.predict import predict, predict_images
from benchmarks.protocol.bodies import BBC_POSE
from benchmarks.protocol.definition import Crop
from kpdetect.errors import FormatError, InputError
from kpdetect.images.arrays import cut_region
from kpdetect.images.image_files import write_image
from kpdetect.skeleton import Skeleton
from tests.builders.official import bbc_joints, write_bbc_pose, write_mtfl

SIZES = np.array([[100, 80]])  # height 100, width 80
PLACES = ["list, line 7"]


@pytest.mark.parametrize(
    ("crop", "box", "expected"),
    [
        # The box 20, 30, 24 x 40 has its centre at 32, 50.
        (Crop(name="tight"), (20, 30, 24, 40), [12, 30, 40, 40]),
        (Crop(name="wide", scale=1.5), (20, 30, 24, 40), [2, 20, 60, 60]),
        (Crop(name="fixed", side=50), (20, 30, 24, 40), [7, 25, 50, 50]),
        (Crop(name="beyond", scale=2.0), (20, 30, 24, 40), [-8, 10, 80, 80]),
        (Crop(name="cut off", scale=2.0, clip=True), (20, 30, 24, 40), [0, 10, 72, 80]),
        (Crop(name="cut off below", clip=True), (70, 80, 30, 10), [70, 70, 10, 30]),
    ],
)
def test_squares_by_hand(crop: Crop, box: tuple[int, ...], expected: list[int]) -> None:
    found = cut_regions(crop, np.array([box]), SIZES, ["a.jpg"], PLACES)
    assert found.boxes.tolist() == [expected]
    assert found.sizes.tolist() == [[expected[3], expected[2]]]


def test_impossible_boxes_are_named_by_place() -> None:
    with pytest.raises(FormatError, match="list, line 7: the box of the crop has no area"):
        cut_regions(Crop(name="c"), np.array([[5, 5, 0, 0]]), SIZES, ["a.jpg"], PLACES)
    with pytest.raises(FormatError, match="list, line 7: the box lies outside of the image"):
        cut_regions(Crop(name="c"), np.array([[90, 5, 10, 10]]), SIZES, ["a.jpg"], PLACES)


def test_chance_follows_from_the_name_within_its_limits() -> None:
    crop, names = Crop(name="moved", side=40, shift=0.25, zoom=0.5), [f"{number}.jpg" for number in range(400)]
    boxes, sizes = np.tile([20.0, 30, 24, 40], (400, 1)), np.tile(SIZES, (400, 1))
    found = cut_regions(crop, boxes, sizes, names, names)
    again = cut_regions(crop, boxes, sizes, names[::-1], names)
    assert found.boxes.tolist() == again.boxes[::-1].tolist()
    sides, centres = found.boxes[:, 2], found.boxes[:, :2] + found.boxes[:, 2:] / 2
    assert (sides == found.boxes[:, 3]).all()
    assert 20 <= sides.min() < 22
    assert 58 < sides.max() <= 60
    off = (centres - [32, 50]) / sides[:, None]
    assert 0.22 < np.abs(off).max() <= 0.25 + 0.5 / 20  # rounded to whole pixels
    assert np.abs(off.mean(axis=0)).max() < 0.03


def test_box_around_the_visible_points() -> None:
    points = np.array([[[10.0, 5.0], [30.0, 20.0], [np.nan, np.nan]]])
    assert boxes_around(points).tolist() == [[10.5, 5.5, 20.0, 15.0]]


def test_what_lies_outside_is_the_edge() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1).repeat(3, axis=2)
    part = cut_region(image, (-1, 1, 3, 4))[..., 0]
    assert part.tolist() == [[4, 4, 5], [8, 8, 9], [8, 8, 9], [8, 8, 9]]


class Brightest:
    """A detector of one keypoint: the first of the brightest pixels."""

    skeleton = Skeleton.plain(1)

    def __call__(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        found = [np.unravel_index(int(image[..., 0].astype(int).argmax()), image.shape[:2]) for image in images]
        points = np.array([[[x, y]] for y, x in found], np.float32)
        return points, np.ones((len(images), 1), np.float32)


def marked(folder: Path) -> LandmarkSet:
    """BBC Pose; each frame grey but for one white pixel at its first joint."""
    found = load_bbc_pose(write_bbc_pose(folder), BBC_POSE)
    for index in found.used:
        video, _, frame = found.images[index].partition("/")
        image = np.full((320, 400, 3), 90, np.uint8)
        x, y = bbc_joints(int(video), int(frame.removesuffix(".jpg")))[:, 0].astype(int)
        image[y, x] = 255
        path = found.path(index)
        path.unlink()
        write_image(path.with_suffix(".png"), image)
    return found


def test_keypoints_of_crops_come_back_to_the_file_exactly(tmp_path: Path) -> None:
    found = marked(tmp_path)
    found = LandmarkSet(**{**vars(found), "images": [name.replace(".jpg", ".png") for name in found.images]})
    keypoints_px, _ = predict_images(Brightest(), found, found.used)  # type: ignore[arg-type]
    assert keypoints_px[:, 0] == pytest.approx(found.landmarks_px[found.used][:, 0])
    truth = [
        bbc_joints(int(name.split("/")[0]), int(name.split("/")[1][:-4]))[:, 0] for name in np.array(found.images)[found.used]
    ]
    assert found.to_file_px(keypoints_px, found.used)[:, 0].tolist() == np.array(truth).tolist()


@pytest.mark.slow
def test_predictions_are_kept_in_pixels_of_the_files(tmp_path: Path, small_project: Path) -> None:
    found = load_bbc_pose(write_bbc_pose(tmp_path / "data"), BBC_POSE)
    predictions = predict(small_project, found, tmp_path / "out").predictions
    index = int(found.used[0])
    assert found.regions is not None
    left, top = found.regions.boxes[index, :2]
    assert (left, top) == (2, -42)  # joints from 112 to 192 and from 43 to 173, in a square of 300
    expected, _ = kpdetect.load(small_project)(found.image(index))
    assert predictions.keypoints_px[0] == pytest.approx(expected + [left, top], abs=1e-3)
    assert predictions.sizes[0].tolist() == [320, 400]
    assert align(predictions, found)[index] == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_another_crop_is_predicted_again(tmp_path: Path, small_project: Path) -> None:
    from dataclasses import replace

    data = write_bbc_pose(tmp_path / "data")
    first = predict(small_project, load_bbc_pose(data, BBC_POSE), tmp_path / "out")
    other = replace(BBC_POSE, crop=Crop(name="smaller", side=200))
    second = predict(small_project, load_bbc_pose(data, other), tmp_path / "out")
    assert not np.array_equal(first.predictions.keypoints_px, second.predictions.keypoints_px)


def test_baselines_see_the_crop_too(tmp_path: Path) -> None:
    found = load_bbc_pose(write_bbc_pose(tmp_path), BBC_POSE)
    features = pixel_features(found)
    whole = LandmarkSet(**{**vars(found), "regions": None})
    assert features.fit.shape == (8, 32 * 32)
    assert not np.allclose(features.fit, pixel_features(whole).fit)


@pytest.mark.slow
def test_errors_are_written_in_pixels_of_the_files(tmp_path: Path, small_project: Path) -> None:
    data = write_mtfl(tmp_path / "data", fit=8, test=3)
    path = benchmark("mtfl-aflw", small_project, data, tmp_path / "out", baselines=False).path
    errors = pd.read_csv(path.with_name(f"{path.stem}-errors.csv"))
    row = errors[(errors["image"] == "AFLW/0001-image.jpg") & (errors["landmark"] == "nose")].iloc[0]
    assert (row["true_x_px"], row["true_y_px"]) == (44 + 1 + 0.25, 60 + 2 + 0.25)
    assert (path.parent / "table.md").read_text().count("128x128, corner origin, no bias (headline)") == 3


def test_predictions_of_another_crop_are_refused(tmp_path: Path, small_project: Path) -> None:
    found = load_bbc_pose(write_bbc_pose(tmp_path / "data"), BBC_POSE)
    entry = predict(small_project, found, tmp_path / "out")
    assert entry.contents[0].endswith("@2,-42,300,300")
    entry.require(found, tmp_path / "out")
    other = load_bbc_pose(tmp_path / "data", replace(BBC_POSE, crop=Crop(name="smaller", side=200)))
    with pytest.raises(InputError, match="has changed, or its crop has, since it was predicted"):
        entry.require(other, tmp_path / "out")
