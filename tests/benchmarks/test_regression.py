"""The regression: what it must recover, what must not matter, and what it says about poor input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluation.regression import fit_regression, settle_names
from kpdetect.errors import InputError
from tests.builders.arrays import evaluate_arrays, evaluate_mean_shape

SEEDS = st.integers(0, 2**32 - 1)
FINITE = st.floats(-50, 50)
SCALES = st.floats(0.05, 20).flatmap(lambda value: st.sampled_from([value, -value]))
LANDMARKS = np.array([[20.0, 30.0], [60.0, 30.0], [40.0, 70.0]])


def sample(seed: int, images: int = 40, keypoints: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints, and noisy landmarks around a shape with eyes 40 apart."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(images, keypoints, 2))
    mixing = random.normal(size=(2 * keypoints, LANDMARKS.size))
    moved = (points.reshape(images, -1) @ mixing).reshape(images, -1, 2)
    return points, LANDMARKS + moved + random.normal(size=moved.shape)


@given(seed=SEEDS, keypoints=st.integers(1, 10), images=st.integers(25, 60))
@settings(max_examples=30, deadline=None)
def test_affine_images_of_keypoints_are_recovered_exactly(seed: int, keypoints: int, images: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(size=(images + 5, keypoints, 2))
    truth = points.reshape(images + 5, -1) @ random.normal(size=(2 * keypoints, 6)) + random.normal(size=6) * 9
    truth = truth.reshape(-1, 3, 2)
    regression = fit_regression(points[:images], truth[:images], bias=True)
    assert np.abs(regression(points[images:]) - truth[images:]).max() < 1e-8
    assert (regression.rank, regression.columns) == (2 * keypoints, 2 * keypoints)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_linear_images_are_recovered_without_bias(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(size=(30, 3, 2))
    truth = (points.reshape(30, -1) @ random.normal(size=(6, 4))).reshape(30, 2, 2)
    regression = fit_regression(points[:20], truth[:20], bias=False)
    assert np.abs(regression(points[20:]) - truth[20:]).max() < 1e-9
    assert not regression.bias.any()


@given(seed=SEEDS, shift=st.tuples(FINITE, FINITE), scale=st.tuples(SCALES, SCALES))
@settings(max_examples=30, deadline=None)
def test_with_bias_shift_and_scale_of_the_keypoints_do_not_matter(
    seed: int, shift: tuple[float, float], scale: tuple[float, float]
) -> None:
    points, truth = sample(seed)
    moved = points * np.array(scale) + np.array(shift)
    plain = evaluate_arrays(points[:30], truth[:30], points[30:], truth[30:], bias=True)
    other = evaluate_arrays(moved[:30], truth[:30], moved[30:], truth[30:], bias=True)
    assert other.score.mean_of_ratios == pytest.approx(plain.score.mean_of_ratios, rel=1e-7)


def test_with_bias_the_origin_does_not_matter_and_without_it_does() -> None:
    points, truth = sample(3)
    split = points[:30], truth[:30], points[30:], truth[30:]

    def error(bias: bool, offset: tuple[float, float]) -> float:
        return evaluate_arrays(*split, bias=bias, offset=offset).score.mean_of_ratios

    assert error(True, (0, 0)) == pytest.approx(error(True, (7, -40)), rel=1e-9)
    assert abs(error(False, (0, 0)) - error(False, (7, -40))) > 1.0


def test_constant_keypoints_away_from_the_origin_score_the_floor_without_bias() -> None:
    _, truth = sample(5)
    constant = np.broadcast_to([[30.0, 12.0], [5.0, 80.0]], (40, 2, 2))
    result = evaluate_arrays(constant[:30], truth[:30], constant[30:], truth[30:], bias=False)
    floor = evaluate_mean_shape(truth[:30], truth[30:])
    assert result.score.mean_of_ratios == pytest.approx(floor.score.mean_of_ratios, rel=1e-9)
    assert (result.rank, result.columns) == (1, 4)


def test_dependent_keypoints_are_reported_and_harmless() -> None:
    points, truth = sample(7)
    doubled = np.concatenate([points, 3 * points - 1], axis=1)
    once = evaluate_arrays(points[:30], truth[:30], points[30:], truth[30:], bias=True)
    twice = evaluate_arrays(doubled[:30], truth[:30], doubled[30:], truth[30:], bias=True)
    assert (twice.rank, twice.columns) == (8, 16)
    assert twice.score.mean_of_ratios == pytest.approx(once.score.mean_of_ratios, rel=1e-7)


def test_fewer_images_than_numbers_is_reported() -> None:
    points, truth = sample(9, images=5)
    assert fit_regression(points, truth, bias=True).rank == 4  # centred: one less than the images
    assert fit_regression(points, truth, bias=False).rank == 5


def test_mean_shape_by_hand() -> None:
    train = np.array([[[0.0, 0.0], [10.0, 0.0]], [[2.0, 0.0], [12.0, 0.0]]])
    test = np.array([[[1.0, 3.0], [11.0, 4.0]]])  # the mean shape is (1, 0), (11, 0); eyes hypot(10, 1) apart
    score = evaluate_mean_shape(train, test).score
    assert score.mean_of_ratios == pytest.approx(100 * 3.5 / np.hypot(10, 1))


def test_float32_input_is_computed_in_float64() -> None:
    points, truth = sample(11)
    exact = points.astype(np.float32).astype(np.float64)
    assert np.array_equal(
        fit_regression(points.astype(np.float32), truth, bias=True)(exact),
        fit_regression(exact, truth, bias=True)(exact),
    )


def test_bad_input_is_refused() -> None:
    points, truth = sample(13)
    with pytest.raises(InputError, match="39 predictions for 40"):
        fit_regression(points[1:], truth, bias=True)
    with pytest.raises(InputError, match="not finite"):
        fit_regression(np.where(points > 0, np.inf, points), truth, bias=True)
    with pytest.raises(InputError, match="0 predictions"):
        fit_regression(points[:0], truth[:0], bias=True)


def test_the_least_rank_is_reported_where_landmarks_are_hidden() -> None:
    points, truth = sample(1, images=20, keypoints=3)
    truth[4:, 1] = np.nan  # landmark 1 is shown by 4 images: centred, they have rank 3 of 6
    fitted = fit_regression(points, truth, bias=True)
    assert (fitted.rank, fitted.columns) == (3, 6)


def test_exchanged_names_are_settled_by_fitting_again() -> None:
    random = np.random.default_rng(2)
    points = random.normal(size=(60, 2, 2))
    clean = np.array([[10.0, 20.0], [50.0, 22.0], [30.0, 70.0]]) + points[:, :1] * 2
    order, mixed = np.array([1, 0, 2]), clean.copy()
    wrong = random.random(60) < 0.3
    mixed[wrong] = clean[wrong][:, order]
    plain = fit_regression(points, mixed, bias=True)
    settled = fit_regression(points, mixed, bias=True, exchanged=order)
    assert np.abs(plain(points) - clean).max() > 5
    assert np.abs(settled(points) - clean).max() < 1e-8


def test_names_settle_with_hidden_landmarks() -> None:
    clean = np.tile(np.array([[[10.0, 20.0], [50.0, 20.0]]]), (9, 1, 1))
    order, mixed = np.array([1, 0]), clean.copy()
    mixed[0] = mixed[0, order]
    mixed[1, 0] = np.nan
    settled = settle_names(mixed, order, lambda each: np.broadcast_to(np.nanmean(each, axis=0), each.shape))
    assert settled[0].tolist() == clean[0].tolist()
    assert np.isnan(settled[1, 0]).all()
    assert settled[1, 1].tolist() == [50.0, 20.0]
