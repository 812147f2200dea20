"""NME on numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.metrics.nme import (
    auc_percent,
    bootstrap_interval95,
    exchange_names,
    nme_percent,
    pck_percent,
    point_errors_percent,
)
from benchmarks.metrics.units import pair_lengths, unit_lengths
from benchmarks.protocol.named import TOY, Frame
from kpdetect.errors import InputError

# Two images, three landmarks; the eyes are landmarks 0 and 2: 5 apart in the first image (3-4-5), 20 in the second.
TRUTH = np.array([[[0.0, 0.0], [9.0, 9.0], [3.0, 4.0]], [[10.0, 5.0], [0.0, 0.0], [10.0, 25.0]]])
# Distances 1, 0, 5 in the first image and 2, 10, 0 in the second.
PREDICTED = TRUTH + np.array([[[1.0, 0.0], [0.0, 0.0], [3.0, 4.0]], [[0.0, -2.0], [6.0, 8.0], [0.0, 0.0]]])

UNIT = np.array([5.0, 20.0])
NAMES = ["a.png", "b.png"]


def test_every_statistic_by_hand() -> None:
    score = nme_percent(PREDICTED, TRUTH, UNIT)
    # Ratios in percent: 20, 0, 100 and 10, 50, 0.
    assert score.mean_of_ratios == pytest.approx(30.0)
    assert score.ratio_of_means == pytest.approx(100 * (18 / 6) / 12.5)
    assert score.per_point == pytest.approx((15.0, 25.0, 50.0))
    assert score.median == pytest.approx((40.0 + 20.0) / 2)


def test_median_is_over_images_not_over_points() -> None:
    ratios = point_errors_percent(PREDICTED, TRUTH, UNIT)
    assert np.median(ratios) == pytest.approx(15.0)
    assert nme_percent(PREDICTED, TRUTH, UNIT).median == pytest.approx(30.0)


def test_normaliser_chooses_the_landmarks() -> None:
    ratios = point_errors_percent(PREDICTED[1:], TRUTH[1:], pair_lengths(TRUTH[1:], 1, 2))
    assert ratios[0] == pytest.approx(100 * np.array([2.0, 10.0, 0.0]) / np.hypot(10, 25))


def test_squashing_an_image_that_is_not_square_changes_the_error() -> None:
    # 50 wide and 100 high, to 100 x 100: x doubles. Eyes (10, 20) and (20, 20): unit 10 becomes 20.
    sizes = np.array([[100, 50]])
    truth = np.array([[[10.0, 20.0], [20.0, 20.0]]])
    predicted = truth + np.array([0.0, 5.0])
    square = Frame(name="100x100", size=(100, 100))
    place = [square.place(points, sizes, "corner") for points in (predicted, truth)]
    assert nme_percent(predicted, truth, pair_lengths(truth, 0, 1)).mean_of_ratios == pytest.approx(50.0)
    assert nme_percent(place[0], place[1], pair_lengths(place[1], 0, 1)).mean_of_ratios == pytest.approx(25.0)


def test_frame_origins_by_hand() -> None:
    # Pixel (10, 20) of an image 50 wide, 100 high, in 128 x 64 (height, width): x = 10.5 * 64/50, y = 20.5 * 128/100.
    sizes, points = np.array([[100, 50]]), np.array([[[10.0, 20.0]]])
    frame = Frame(name="f", size=(128, 64))
    corner = np.array([13.44, 26.24])
    assert frame.place(points, sizes, "corner")[0, 0] == pytest.approx(corner)
    assert frame.place(points, sizes, "first pixel")[0, 0] == pytest.approx(corner - 0.5)
    assert frame.place(points, sizes, "centre")[0, 0] == pytest.approx(corner - [32, 64])
    assert Frame(name="own").place(points, sizes, "first pixel")[0, 0] == pytest.approx([10, 20])
    assert Frame(name="own").place(points, sizes, "centre")[0, 0] == pytest.approx([-14.5, -29.5])


@pytest.mark.parametrize("origin", ["corner", "first pixel", "centre"])
@pytest.mark.parametrize("size", [None, (128, 64)])
def test_unplace_undoes_place(origin: str, size: tuple[int, int] | None) -> None:
    sizes = np.array([[100, 50], [30, 70]])
    points = np.random.default_rng(0).normal(size=(2, 4, 2)) * 20
    frame = Frame(name="f", size=size)
    there = frame.place(points, sizes, origin)  # type: ignore[arg-type]
    assert frame.unplace(there, sizes, origin) == pytest.approx(points)  # type: ignore[arg-type]


def test_interval_of_equal_images_is_a_point_and_of_two_images_their_extremes() -> None:
    assert bootstrap_interval95(np.full(7, 6.0), np.full(7, 2)) == (3.0, 3.0)
    assert bootstrap_interval95(np.array([1.0, 5.0]), np.ones(2, int)) == (1.0, 5.0)
    totals, counts = np.repeat([1.0, 5.0, 2.0], 40), np.ones(120, int)  # three scenes, 40 equal frames of each
    assert bootstrap_interval95(totals, counts)[1] < 3.2
    assert bootstrap_interval95(totals, counts, groups=np.arange(120) // 40) == (1.0, 5.0)


def test_interval_agrees_with_the_normal_approximation() -> None:
    errors = np.random.default_rng(1).gamma(2.0, 3.0, size=400)
    low, high = bootstrap_interval95(errors, np.ones(400, int))
    margin = 1.96 * errors.std() / np.sqrt(400)
    assert low == pytest.approx(errors.mean() - margin, abs=0.1 * margin)
    assert high == pytest.approx(errors.mean() + margin, abs=0.1 * margin)


def test_hidden_points_do_not_count() -> None:
    truth = TRUTH.copy()
    truth[0, 1], truth[1, 0] = np.nan, np.nan
    score = nme_percent(PREDICTED, truth, UNIT)
    # Ratios in percent: 20, -, 100 and -, 50, 0.
    assert score.mean_of_ratios == pytest.approx(170 / 4)
    assert score.ratio_of_means == pytest.approx(100 * (16 / 4) / 12.5)
    assert score.per_point == pytest.approx((20.0, 50.0, 50.0))
    assert score.median == pytest.approx((60.0 + 25.0) / 2)
    truth[:, 1] = np.nan
    assert np.isnan(nme_percent(PREDICTED, truth, UNIT).per_point[1])


def test_taxicab_distances_by_hand() -> None:
    # Distances 1, 0, 3 + 4 in the first image and 2, 6 + 8, 0 in the second.
    errors = point_errors_percent(PREDICTED, TRUTH, UNIT, "taxicab")
    assert errors.tolist() == [[20.0, 0.0, 140.0], [10.0, 70.0, 0.0]]


def test_sums_over_the_landmarks_by_hand() -> None:
    truth = TRUTH.copy()
    truth[0, 1], truth[0, 2] = np.nan, np.nan
    # Ratios in percent: 20, -, - and 10, 50, 0: landmarks 15, 50, 0; pooled 80 / 4.
    score = nme_percent(PREDICTED, truth, UNIT, summed=True)
    assert score.mean_of_ratios == pytest.approx(65)
    assert score.per_point == pytest.approx((15.0, 50.0, 0.0))
    assert nme_percent(PREDICTED, truth, UNIT).mean_of_ratios == pytest.approx(20.0)
    # Three times the mean landmark: of the first image alone 20, of the second alone 20, of both 65 / 3.
    assert score.interval95 == pytest.approx((60.0, 65.0))
    # Images: 20, and 20 on average; distances 1, 2, 10, 0 over units 5, 20, 20, 20.
    assert score.median == pytest.approx(60.0)
    assert score.ratio_of_means == pytest.approx(3 * 100 * 13 / 65)


def test_correct_points_and_the_area_under_their_curve() -> None:
    errors = np.array([[2.0, np.nan], [6.0, 12.0]])
    assert pck_percent(errors, (2, 6, 11)) == pytest.approx([100 / 3, 200 / 3, 200 / 3])
    # Up to 10, the three curves cover 8, 4 and 0 of 10.
    assert auc_percent(errors, 10) == pytest.approx(100 * 12 / 30)


def test_units_by_hand() -> None:
    extents = np.array([[50.0, 100.0], [20.0, 80.0]])
    shapes = np.concatenate([TRUTH, np.array([[[4.0, 5.0], [np.nan, np.nan]], [[5.0, 6.0], [np.nan, np.nan]]])], axis=1)
    assert unit_lengths(TOY, shapes, extents, NAMES) == pytest.approx([np.hypot(9, 9), np.hypot(10, 5)])
    assert unit_lengths(replace(TOY, unit="box"), shapes, extents, NAMES) == pytest.approx([9.0, np.sqrt(10 * 25)])
    assert unit_lengths(replace(TOY, unit="image"), shapes, extents, NAMES) == pytest.approx([np.sqrt(5000), 40.0])
    assert unit_lengths(replace(TOY, unit="pixel"), shapes, extents, NAMES) == pytest.approx([100.0, 100.0])
    pixels = unit_lengths(replace(TOY, unit="pixel"), shapes, extents, NAMES)
    assert nme_percent(shapes[:, :4] + [3.0, 4.0], shapes[:, :4], pixels, summed=True).mean_of_ratios == pytest.approx(20.0)
    with pytest.raises(InputError, match=r"2 images, the first is a.png.*mouth_left - mouth_right"):
        unit_lengths(replace(TOY, unit=("mouth_left", "mouth_right")), shapes, extents, NAMES)


def test_names_are_exchanged_only_where_that_is_nearer() -> None:
    order = np.array([2, 1, 0])
    found = exchange_names(TRUTH[:, order] + [[[0.0, 0.0]], [[100.0, 0.0]]], TRUTH, order)
    assert found[0] == pytest.approx(TRUTH[0])
    far = exchange_names(PREDICTED, TRUTH, order)
    assert far == pytest.approx(PREDICTED)


def test_bad_values_are_refused() -> None:
    with pytest.raises(InputError, match="predictions hold values that are not finite"):
        nme_percent(np.where(PREDICTED == 0, np.nan, PREDICTED), TRUTH, UNIT)
    with pytest.raises(InputError, match="an image has none"):
        nme_percent(PREDICTED, np.stack([TRUTH[0], np.full((3, 2), np.nan)]), UNIT)
    with pytest.raises(InputError, match=r"image 1: the unit of the error is 0"):
        nme_percent(PREDICTED, TRUTH, np.array([5.0, 0.0]))
    with pytest.raises(InputError, match="equal, non-empty"):
        nme_percent(PREDICTED[:, :2], TRUTH, UNIT)
