"""Which keypoints explain most, on keypoints and targets whose answer is known; H != W, x != y."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.keypoint_information import (
    Ranking,
    count_distinct,
    explained_share,
    image_components,
    lost_without,
    rank_apart,
    rank_keypoints,
    target_of,
)
from kpdetect.errors import InputError

BITS = np.array([[1.0 if number >> bit & 1 else -1.0 for bit in range(3)] for number in range(8)]).repeat(2, axis=0)
"""Three patterns [16, 3] of variance 1 that are not correlated; every second image has the same values as the image before."""
ONE, TWO, THREE = BITS.T
NONE = np.zeros(16)
KEYPOINTS = np.stack(
    [
        np.stack([0.1 * ONE, NONE], axis=1),  # moves along x
        np.stack([0.1 * ONE, NONE + 0.05], axis=1),  # the same motion a little lower
        np.stack([NONE, 0.2 * TWO], axis=1),  # moves along y by itself
        np.stack([NONE, NONE], axis=1),  # never moves
    ],
    axis=1,
)


def test_share_that_keypoints_explain() -> None:
    target = np.stack([2 * ONE, TWO], axis=1)  # variances 4 and 1
    assert explained_share(KEYPOINTS[:, [0]], target) == pytest.approx(4 / 5, abs=1e-3)
    assert explained_share(KEYPOINTS[:, [2]], target) == pytest.approx(1 / 5, abs=1e-3)
    assert explained_share(KEYPOINTS[:, [0, 2]], target) == pytest.approx(1, abs=1e-3)
    assert explained_share(KEYPOINTS[:, [3]], target) == pytest.approx(0)
    assert explained_share(KEYPOINTS, np.ones((16, 2))) == 0  # a target that never changes
    with pytest.raises(InputError, match="4 images; to compare keypoints, give at least 8"):
        explained_share(KEYPOINTS[:4], target[:4])


def test_repeated_and_still_keypoints_come_last() -> None:
    ranking = rank_keypoints(KEYPOINTS, np.stack([2 * ONE, TWO], axis=1))
    assert ranking.order[:2] == (0, 2)
    assert set(ranking.order[2:]) == {1, 3}
    assert ranking.explained[:2] == pytest.approx([0.8, 1.0], abs=1e-3)
    assert ranking.best(2) == (0, 2)
    assert rank_keypoints(KEYPOINTS, np.stack([ONE, 3 * TWO], axis=1)).order[:2] == (2, 0)


def test_of_neighbours_the_less_informative_one_comes_later_and_still_keypoints_come_last() -> None:
    ranking = rank_apart(KEYPOINTS, np.stack([2 * ONE, TWO], axis=1))
    assert ranking.order == (0, 2, 1, 3)  # 1 lies next to 0
    assert ranking.explained[:2] == pytest.approx([0.8, 1.0], abs=1e-3)
    far = KEYPOINTS[:, :3].copy()
    far[:, 1] += (0.9, -0.9)  # 1 repeats the motion of 0, but now 0 and 2 lie next to each other
    assert rank_keypoints(far, np.stack([2 * ONE, TWO], axis=1)).order == (0, 2, 1)
    assert rank_apart(far, np.stack([2 * ONE, TWO], axis=1)).best(2) == (0, 1)


def test_keypoints_count_up_to_the_first_that_repeats_another_one_or_never_moves() -> None:
    target = np.stack([2 * ONE, TWO], axis=1)
    assert count_distinct(KEYPOINTS, rank_apart(KEYPOINTS, target)) == 2  # 0 and 2; 1 is a duplicate, 3 never moves
    far = KEYPOINTS[:, :3] + np.array([[0, 0], [0.9, -0.9], [0, 0]])
    assert count_distinct(far, rank_apart(far, target)) == 3  # the same motion elsewhere is no duplicate
    assert count_distinct(KEYPOINTS, Ranking(order=(3, 0, 1, 2), explained=(0, 0, 0, 0))) == 1


def test_a_repeated_keypoint_can_be_taken_away_without_loss() -> None:
    lost = lost_without(KEYPOINTS, np.stack([2 * ONE, TWO], axis=1))
    assert lost == pytest.approx([0, 0, 0.2, 0], abs=1e-2)
    assert lost_without(KEYPOINTS[:, [0]], ONE[:, None]) == pytest.approx([1], abs=1e-3)


def test_components_of_images_and_the_target_of_a_choice() -> None:
    picture = np.array([[3.0, 0, 0], [0, 4.0, 0]])  # norm 5, two rows and three columns
    components = image_components(7 + ONE[:, None, None] * picture, count=2)
    assert components.shape == (16, 2)
    assert np.abs(components[:, 0]) == pytest.approx(np.full(16, 5.0))
    assert components[:, 1] == pytest.approx(NONE, abs=1e-9)
    target = target_of(KEYPOINTS, components)
    assert target.shape == (16, 2 + 8)
    assert target[:, :2].var(axis=0).sum() == pytest.approx(1)
    assert target[:, 2:].var(axis=0).sum() == pytest.approx(1)
    assert target[:, 2].var() == pytest.approx(1 / 6)  # 0.01 of 0.01 + 0.01 + 0.04
