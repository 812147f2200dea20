"""The pictures of input images in the report."""

import numpy as np
import pytest

from benchmarks.reporting.charts import _apart
from benchmarks.reporting.gallery import gallery
from kpdetect.skeleton import Skeleton

IMAGE = np.full((60, 100, 3), 90, np.uint8)


def skeleton(*numbers: int) -> Skeleton:
    return Skeleton(numbers=numbers, names=tuple(f"keypoint{number}" for number in numbers))


def test_marks_have_the_numbers_colours_and_places_of_the_keypoints():
    named = Skeleton(numbers=(1, 8), names=("snout", "keypoint8"))
    shown = gallery([(IMAGE, np.array([[20.0, 30.0], [np.nan, np.nan]]))], named)
    photo = shown["photos"][0]
    assert shown["chips"] == [
        {"number": 1, "label": "1 snout", "colour": "#3cb44b"},
        {"number": 8, "label": "8", "colour": "#800000"},
    ]
    (mark,) = photo["marks"]  # the missing keypoint has no mark
    assert (mark["number"], mark["x"], mark["y"], mark["colour"], mark["edge"]) == (1, 20.5, 30.5, "#3cb44b", "#000000")
    assert (photo["width"], photo["height"]) == (100, 60)
    assert photo["font"] == pytest.approx(10 * 100 / 200)  # the page shows 100 pixels 200 CSS pixels wide
    assert photo["source"].startswith("data:image/jpeg;base64,")


def test_large_images_are_scaled_down_with_their_keypoints():
    (photo,) = gallery([(np.zeros((300, 600, 3), np.uint8), np.array([[199.5, 99.5]]))], skeleton(0))["photos"]
    assert (photo["width"], photo["height"]) == (300, 150)
    assert (photo["marks"][0]["x"], photo["marks"][0]["y"]) == (100.0, 50.0)


def test_many_keypoints_have_larger_pictures_and_only_numbers_with_room():
    apart = np.stack(np.meshgrid(np.arange(5) * 20.0 + 8, np.arange(3) * 20.0 + 10), axis=-1).reshape(-1, 2)
    few, many = gallery([(IMAGE, apart[:12])], skeleton(*range(12))), gallery([(IMAGE, apart)], skeleton(*range(15)))
    assert (few["least"], many["least"]) == (200, 300)
    assert not any(mark["spare"] for mark in many["photos"][0]["marks"])
    assert "no free room" not in many["text"]
    heap = gallery([(IMAGE, np.full((15, 2), 50.0))], skeleton(*range(15)))
    assert any(mark["spare"] for mark in heap["photos"][0]["marks"])
    assert "Numbers that have no free room in an image appear only then." in heap["text"]
    assert not any(
        mark["spare"] for mark in gallery([(IMAGE, np.full((9, 2), 50.0))], skeleton(*range(9)))["photos"][0]["marks"]
    )


def test_gaps_in_the_numbers_are_explained():
    points = np.array([[20.0, 30.0], [60.0, 30.0]])
    assert "gaps" not in gallery([(IMAGE, points)], skeleton(0, 1))["text"]
    assert "The numbers have gaps" in gallery([(IMAGE, points)], skeleton(0, 3))["text"]


def test_numbers_of_the_chart_of_motion_do_not_cover_each_other():
    assert _apart(np.array([[0.5, 0.5], [0.52, 0.51], [0.5, 0.57], [0.56, 0.5]]), (0.05, 0.05)) == [0, 2, 3]


def test_a_very_flat_image_keeps_one_row():
    (photo,) = gallery([(np.zeros((16, 20_000, 3), np.uint8), np.array([[10.0, 8.0]]))], skeleton(0))["photos"]
    assert photo["height"] >= 1
