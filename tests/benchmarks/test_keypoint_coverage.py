"""Coverage: the object in masks and in changed drawings, and its share near keypoints and in their hull."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.keypoint_coverage import (
    foreground_of_changes,
    foreground_of_masks,
    foreground_within_hull,
    foreground_within_reach,
)


def test_foreground_within_reach_counts_pixels_of_the_object() -> None:
    masks = np.zeros((5, 2, 4))
    masks[0, 0] = [1.0, 0.9, 0.0, 0.6]  # pixel centres at x = -0.75, -0.25, 0.25, 0.75 and y = -0.5, 0.5
    masks[1, :, :3] = 1.0
    masks[2] = 1.0  # fills the frame
    masks[3] = 0.55  # undecided
    keypoints = np.zeros((5, 1, 2)) + [[[-0.75, -0.5]], [[0.0, 0.5]], [[0.0, 0.5]], [[0.0, 0.5]], [[0.0, 0.5]]]
    near = foreground_within_reach(keypoints, foreground_of_masks(masks), reach=13.0)  # 0.26 in normalised units
    assert near[:2] == pytest.approx([1 / 3, 2 / 6])
    assert np.isnan(near[2:]).all()


def test_foreground_within_hull_counts_pixels_between_keypoints() -> None:
    foreground = np.zeros((2, 10, 20), bool)
    foreground[0, 2:8, 4:16] = True  # 6 rows, 12 columns
    corners = np.array([[4.0, 2.0], [9.0, 2.0], [9.0, 4.0], [4.0, 4.0]])  # 3 rows, 6 columns of it, borders included
    keypoints = np.stack([(corners + 0.5) / [10, 5] - 1] * 2)
    shares = foreground_within_hull(keypoints, foreground)
    assert shares[0] == pytest.approx(18 / 72)
    assert np.isnan(shares[1])
    assert foreground_within_hull(keypoints[:, :1], foreground)[0] == pytest.approx(1 / 72)


def test_pixels_that_change_with_the_keypoints_are_the_object() -> None:
    changes = np.zeros((3, 20, 40))
    changes[0, 5:15, 10:20] = 2.0
    changes[1] = 1.0  # changes everywhere
    located = foreground_of_changes(changes)
    assert located[0, 6:14, 11:19].all()
    assert not located[0, :3].any()
    assert not located[0, :, 24:].any()
    assert not located[1:].any()
