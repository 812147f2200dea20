"""Keypoint motion on places that are known."""

import numpy as np
import pytest

from benchmarks.reporting.charts import keypoint_motion, motion_section
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton


def test_motion_is_the_spread_of_the_places_in_percent_of_the_side():
    # Keypoint 0 stands still; keypoint 1 moves by +-0.03 in x and +-0.04 in y: root of 0.0009 + 0.0016 is 0.05.
    shares = np.array([[[0.5, 0.25], [0.13, 0.24]], [[0.5, 0.25], [0.07, 0.16]]])
    assert keypoint_motion(shares) == pytest.approx([0, 5])


def predictions(keypoints_px, sizes, numbers):
    names = tuple(f"keypoint{number}" for number in numbers)
    return Predictions(
        images=[f"{row}.png" for row in range(len(sizes))],
        keypoints_px=keypoints_px,
        confidence=np.ones(keypoints_px.shape[:2], np.float32),
        sizes=sizes,
        skeleton=Skeleton(numbers=numbers, names=names, links=(), pairs=()),
    )


@pytest.mark.slow
def test_pixels_become_shares_of_each_images_own_size():
    shares = np.array([[[0.5, 0.25], [0.13, 0.24]], [[0.5, 0.25], [0.07, 0.16]]])
    sizes = np.array([[40, 100], [80, 30]])  # (height, width)
    section = motion_section(predictions(shares * sizes[:, None, ::-1] - 0.5, sizes, (2, 5)), "here")
    assert "Keypoint 2 moves least (0.0 %), keypoint 5 moves most (5.0 %)" in section["text"]  # as the model numbers them
    assert section["pictures"][0].startswith("data:image/png;base64,")


@pytest.mark.parametrize("keypoints", [1, 3])
def test_keypoints_that_never_move_are_drawn(keypoints):
    sizes = np.full((4, 2), 32)
    section = motion_section(predictions(np.full((4, keypoints, 2), 15.5), sizes, tuple(range(keypoints))), "here")
    assert "0.0 %" in section["text"]
