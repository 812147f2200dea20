"""The paired bootstrap on errors whose differences are known."""

import numpy as np
import pytest

from benchmarks.metrics.difference import Difference, paired_difference
from kpdetect.errors import InputError


def test_a_constant_gap_is_certain_however_much_images_differ():
    errors = np.array([[1.0, 2.0, 3.0], [50.0, 60.0, 70.0], [4.0, 5.0, 9.0], [100.0, 0.0, 3.0]])
    found = paired_difference(errors - 0.25, errors)
    assert found.mean == pytest.approx(-0.25)
    assert (found.low, found.high) == (pytest.approx(-0.25), pytest.approx(-0.25))
    assert found.significant


def test_two_images_give_the_whole_range_and_hidden_points_do_not_count():
    # Drawn with return: image 0 twice (probability 1/4, difference 2), both (1/2, (2 + 2 + -1) / 3 = 1), image 1 twice (-1).
    first = np.array([[5.0, 4.0], [1.0, np.nan]])
    second = np.array([[3.0, 2.0], [2.0, np.nan]])
    assert paired_difference(first, second) == Difference(mean=1.0, low=-1.0, high=2.0)
    assert not paired_difference(first, second).significant


def test_the_interval_is_that_of_the_mean_of_normal_differences():
    random = np.random.default_rng(3)
    hard = random.exponential(30, size=(400, 1))  # shared by both rows: cancels
    gaps = random.normal(-0.5, 2, size=(400, 1))
    found = paired_difference(hard + gaps, hard)
    half = 1.96 * gaps.std() / 20  # root of 400
    assert found.mean == pytest.approx(gaps.mean())
    assert found.low == pytest.approx(gaps.mean() - half, abs=0.03)
    assert found.high == pytest.approx(gaps.mean() + half, abs=0.03)
    assert found.significant


def test_equal_frames_of_few_scenes_are_not_many_images():
    first = np.repeat([[1.0, 2.0], [-0.5, 0.0], [2.0, np.nan]], 30, axis=0)
    second, scenes = np.zeros_like(first) * first, np.repeat([3, 9, 4], 30)
    assert paired_difference(first, second).significant
    found = paired_difference(first, second, groups=scenes)
    assert found.mean == pytest.approx((1 + 2 - 0.5 + 0 + 2) / 5)
    assert (found.low, found.high) == (-0.25, 2.0)


def test_swapping_the_rows_turns_the_sign():
    one, other = np.random.default_rng(0).random((2, 30, 5))
    there, back = paired_difference(one, other), paired_difference(other, one)
    assert there.mean == pytest.approx(-back.mean)
    assert there.low == pytest.approx(-back.high, abs=1e-9)


def test_errors_of_other_images_are_refused():
    with pytest.raises(InputError, match="expected the same images"):
        paired_difference(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(InputError, match="expected the same images"):
        paired_difference(np.array([[1.0, np.nan]]), np.array([[np.nan, 1.0]]))


def test_summed_landmarks_have_a_mean_of_their_own_each():
    # Landmark 0: (2 + 4) / 2 = 3; landmark 1, seen once: 10; landmark 2 never: 3 + 10 = 13.
    second = np.zeros((2, 3)) + np.array([[0, 0, np.nan], [0, np.nan, np.nan]])
    first = second + np.array([[2.0, 10.0, 0.0], [4.0, 5.0, 0.0]])
    assert paired_difference(first, second, summed=True).mean == pytest.approx(13)
    assert paired_difference(first, second).mean == pytest.approx(16 / 3)
    gap = paired_difference(second[:, :1] + 0.5, second[:, :1], summed=True)
    assert (gap.low, gap.high) == (pytest.approx(0.5), pytest.approx(0.5))
