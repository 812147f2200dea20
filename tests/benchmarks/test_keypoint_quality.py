"""Label-free measures of keypoints on cases whose answer is known; H != W, x != y."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.keypoint_quality import (
    explained_by,
    find_duplicates,
    find_neighbours,
    keypoint_score,
    motion_percent,
    movements_above_noise,
    noise_shares,
    pairwise,
)
from kpdetect.errors import InputError

PLACES = np.array(
    [
        [[0.0, 0.0], [0.06, 0.0], [0.8, 0.4]],
        [[0.2, 0.0], [0.26, 0.0], [0.8, -0.4]],
    ]
)
"""Keypoint 1 lies 0.06 right of keypoint 0; keypoint 2 moves by itself. Two images."""


def test_motion_is_the_root_of_the_summed_variances() -> None:
    assert motion_percent(PLACES) == pytest.approx([5.0, 5.0, 20.0])  # half of 0.2 and of 0.8, times 50 %


def test_neighbours_and_what_they_share() -> None:
    near = find_neighbours(PLACES)
    assert near.nearest.tolist() == [1, 0, 1]
    assert near.distance[:2] == pytest.approx([3.0, 3.0])
    assert near.play == pytest.approx([0.0, 0.0, np.hypot(5, 20)])
    assert near.shared == pytest.approx([1.0, 1.0, 0.0])  # the third: 1 - (425 / 400), cut off at 0
    alone = find_neighbours(PLACES[:, :1])
    assert (alone.nearest.tolist(), alone.shared.tolist()) == ([-1], [0.0])


def test_distance_and_play_of_two_keypoints() -> None:
    distance, play = pairwise(PLACES)
    assert distance[0, 1] == pytest.approx(3.0)
    assert play[0, 2] == pytest.approx(np.hypot(5, 20))
    assert distance.tolist() == distance.T.tolist()


def test_of_keypoints_on_one_place_the_steadier_is_kept() -> None:
    assert find_duplicates(PLACES, np.array([0.1, 0.2, 0.3])) == {1: 0}
    assert find_duplicates(PLACES, np.array([0.2, 0.1, 0.3])) == {0: 1}
    apart = PLACES.copy()
    apart[:, 1, 1] += 0.2  # 10 % of the side
    assert find_duplicates(apart, np.zeros(3)) == {}
    loose = PLACES.copy()
    loose[1, 1, 0] = 0.06  # moves otherwise than its neighbour: 3 % and 7 % apart
    assert find_duplicates(loose, np.zeros(3)) == {}


def test_a_chain_of_near_keypoints_keeps_those_that_are_not_near_each_other() -> None:
    chain = np.zeros((3, 3, 2))
    chain[:, :, 0] = [0.0, 0.08, 0.16]  # 4 % of the side from one to the next
    assert find_duplicates(chain, np.array([0.0, 1.0, 2.0])) == {1: 0}
    assert find_duplicates(chain, np.array([1.0, 0.0, 2.0])) == {0: 1, 2: 1}


def test_movements_above_noise_counts_each_movement_once() -> None:
    moves = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # two independent movements of power 1
    one = 0.04 * moves[:, None]  # standard deviation 2 % of the side in x and in y
    assert movements_above_noise(one, np.array([1.0])) == pytest.approx(2 * (1 - 1 / 4))
    assert movements_above_noise(one, np.array([3.0])) == 0.0  # below the noise
    together = np.concatenate([one, one + 0.5], axis=1)  # the same movement twice, at twice the power
    assert movements_above_noise(together, np.array([1.0, 1.0])) == pytest.approx(2 * (1 - 1 / 8))
    assert movements_above_noise(together, np.array([1.0, np.nan])) == pytest.approx(1.5)
    apart = np.concatenate([one, np.zeros((4, 1, 2))], axis=1)
    apart[:, 1, 0] = 0.04 * moves[:, 0] * moves[:, 1]  # a third movement, in x alone
    assert movements_above_noise(apart, np.array([1.0, 1.0])) == pytest.approx(3 * (1 - 1 / 4))


def test_what_another_detector_knows_does_not_depend_on_names() -> None:
    source = np.random.default_rng(0)
    one = source.normal(size=(200, 3, 2)) * [0.3, 0.1]
    renamed = one[:, [2, 0]] @ np.array([[0.0, 0.5], [2.0, 0.0]]) + 0.3  # keypoint 1 is unknown to it
    known = explained_by(one, renamed)
    assert known[[0, 2]] == pytest.approx([1.0, 1.0], abs=0.02)
    assert known[1] < 0.1
    with pytest.raises(InputError, match="the same images for both, at least 8"):
        explained_by(one[:7], renamed[:7])


def test_noise_of_a_tenth_of_the_motion_leaves_99_percent() -> None:
    source = np.random.default_rng(1)
    one = source.normal(size=(2_000, 2, 2))
    assert explained_by(one, one + 0.1 * source.normal(size=one.shape)) == pytest.approx([0.99, 0.99], abs=0.003)


def test_scores_that_are_computed_by_hand() -> None:
    assert keypoint_score(6.0, np.zeros(3)) == pytest.approx(np.sqrt(0.75))
    assert keypoint_score(6.0, np.zeros(30)) == keypoint_score(6.0, np.zeros(3))  # more keypoints do not lower it
    assert keypoint_score(2.0, np.array([0.6, 0.8])) == pytest.approx(np.sqrt(0.5) * (1 - np.sqrt(0.5)))
    assert keypoint_score(2.0, np.array([0.0, 7.0])) == pytest.approx(np.sqrt(0.5) * (1 - np.sqrt(0.5)))
    assert keypoint_score(2.0, np.array([0.0, np.nan])) == pytest.approx(np.sqrt(0.5) * (1 - np.sqrt(0.5)))
    assert keypoint_score(0.0, np.zeros(2)) == 0.0


def test_noise_is_a_share_of_the_motion() -> None:
    found = noise_shares(np.array([1.0, 2.0, np.nan]), np.array([4.0, 0.0, 1.0]))
    np.testing.assert_array_equal(found, [0.25, np.nan, np.nan])
