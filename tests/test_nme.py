"""NME on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.nme import bootstrap_interval95, nme_interocular_percent, point_errors_percent
from benchmarks.protocols import Frame
from kpdetect.errors import InputError

# Two images, three landmarks; the eyes are landmarks 0 and 2: 5 apart in the first image (3-4-5), 20 in the second.
TRUTH = np.array([[[0.0, 0.0], [9.0, 9.0], [3.0, 4.0]], [[10.0, 5.0], [0.0, 0.0], [10.0, 25.0]]])
# Distances 1, 0, 5 in the first image and 2, 10, 0 in the second.
PREDICTED = TRUTH + np.array([[[1.0, 0.0], [0.0, 0.0], [3.0, 4.0]], [[0.0, -2.0], [6.0, 8.0], [0.0, 0.0]]])


def test_every_statistic_by_hand() -> None:
    score = nme_interocular_percent(PREDICTED, TRUTH, (0, 2))
    # Ratios in percent: 20, 0, 100 and 10, 50, 0.
    assert score.mean_of_ratios == pytest.approx(30.0)
    assert score.ratio_of_means == pytest.approx(100 * (18 / 6) / 12.5)
    assert score.per_point == pytest.approx((15.0, 25.0, 50.0))
    assert score.median == pytest.approx((40.0 + 20.0) / 2)


def test_median_is_over_images_not_over_points() -> None:
    ratios = point_errors_percent(PREDICTED, TRUTH, (0, 2))
    assert np.median(ratios) == pytest.approx(15.0)
    assert nme_interocular_percent(PREDICTED, TRUTH, (0, 2)).median == pytest.approx(30.0)


def test_normaliser_chooses_the_landmarks() -> None:
    ratios = point_errors_percent(PREDICTED[1:], TRUTH[1:], (1, 2))
    assert ratios[0] == pytest.approx(100 * np.array([2.0, 10.0, 0.0]) / np.hypot(10, 25))


def test_squashing_an_image_that_is_not_square_changes_the_error() -> None:
    # 50 wide and 100 high, to 100 x 100: x doubles. Eyes (10, 20) and (20, 20): unit 10 becomes 20.
    sizes = np.array([[100, 50]])
    truth = np.array([[[10.0, 20.0], [20.0, 20.0]]])
    predicted = truth + np.array([0.0, 5.0])
    square = Frame(name="100x100", size=(100, 100))
    place = [square.place(points, sizes, "corner") for points in (predicted, truth)]
    assert nme_interocular_percent(predicted, truth, (0, 1)).mean_of_ratios == pytest.approx(50.0)
    assert nme_interocular_percent(place[0], place[1], (0, 1)).mean_of_ratios == pytest.approx(25.0)


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
    assert bootstrap_interval95(np.full(7, 3.0)) == (3.0, 3.0)
    assert bootstrap_interval95(np.array([1.0, 5.0])) == (1.0, 5.0)


def test_interval_agrees_with_the_normal_approximation() -> None:
    errors = np.random.default_rng(1).gamma(2.0, 3.0, size=400)
    low, high = bootstrap_interval95(errors)
    margin = 1.96 * errors.std() / np.sqrt(400)
    assert low == pytest.approx(errors.mean() - margin, abs=0.1 * margin)
    assert high == pytest.approx(errors.mean() + margin, abs=0.1 * margin)


def test_bad_values_are_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        nme_interocular_percent(np.where(PREDICTED == 0, np.nan, PREDICTED), TRUTH, (0, 2))
    with pytest.raises(InputError, match=r"image 1: inter-ocular distance 0"):
        nme_interocular_percent(PREDICTED, np.stack([TRUTH[0], np.ones((3, 2))]), (0, 2))
    with pytest.raises(InputError, match="equal, non-empty"):
        nme_interocular_percent(PREDICTED[:, :2], TRUTH, (0, 1))
