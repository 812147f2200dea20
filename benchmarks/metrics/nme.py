"""Normalised mean error (NME): distance between predicted and annotated landmarks over the inter-ocular distance.

For image n and landmark l: d[n, l] = |predicted - truth|, s[n] = |truth of one eye - truth of the other|, both in the
same coordinates. "Mean of ratios" is mean(d / s), the usual number; "ratio of means" is mean(d) / mean(s), which a few
profile faces with a tiny s cannot dominate; the median is taken over images of each image's mean ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class NmeScore:
    """Errors in percent of the inter-ocular distance.

    Attributes:
        mean_of_ratios: mean over images and landmarks of distance / inter-ocular distance.
        ratio_of_means: mean distance / mean inter-ocular distance.
        median: median over images of the image's mean ratio.
        per_point: mean of ratios of each landmark.
        interval95: bootstrap 95 % interval of `mean_of_ratios` over test images; the fitted regression is held fixed.
    """

    mean_of_ratios: float
    ratio_of_means: float
    median: float
    per_point: tuple[float, ...]
    interval95: tuple[float, float]


def point_errors_percent(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], normaliser: tuple[int, int]
) -> NDArray[np.float64]:
    """Errors [images, landmarks] in percent of each image's inter-ocular distance.

    Args:
        predicted: [images, landmarks, 2].
        truth: [images, landmarks, 2], the same coordinates as `predicted`.
        normaliser: indices of the two landmarks whose distance is the unit.

    Raises:
        InputError: a value is not finite, or an image's unit is zero.
    """
    _check(predicted, truth)
    unit = interocular(truth, normaliser)
    if not unit.all():
        raise InputError(f"test image {int(np.argmin(unit))}: inter-ocular distance 0; remove the image from the test list")
    return 100.0 * _distances(predicted, truth) / unit[:, None]


def nme_interocular_percent(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], normaliser: tuple[int, int]
) -> NmeScore:
    """All statistics of `point_errors_percent` at once; same arguments, same errors raised."""
    ratios = point_errors_percent(predicted, truth, normaliser)
    per_image = ratios.mean(axis=1)
    ratio_of_means = 100.0 * _distances(predicted, truth).mean() / interocular(truth, normaliser).mean()
    return NmeScore(
        mean_of_ratios=float(ratios.mean()),
        ratio_of_means=float(ratio_of_means),
        median=float(np.median(per_image)),
        per_point=tuple(float(value) for value in ratios.mean(axis=0)),
        interval95=bootstrap_interval95(per_image),
    )


def interocular(truth: NDArray[np.floating], normaliser: tuple[int, int]) -> NDArray[np.float64]:
    """Distance [images] between the two landmarks of `normaliser`."""
    first, second = normaliser
    return _distances(truth[:, first], truth[:, second])


def bootstrap_interval95(per_image: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """2.5 % and 97.5 % quantiles of the mean of `per_image` [images] over resampled images; the same for the same
    input."""
    random = np.random.default_rng(seed)
    count = len(per_image)
    means = [per_image[random.integers(0, count, count)].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _distances(predicted: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    gap = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    return np.asarray(np.linalg.norm(gap, axis=-1), np.float64)


def _check(predicted: NDArray[np.floating], truth: NDArray[np.floating]) -> None:
    if predicted.shape != truth.shape or not len(truth):
        raise InputError(f"predictions {predicted.shape} and landmarks {truth.shape}: expected equal, non-empty shapes")
    if not (np.isfinite(predicted).all() and np.isfinite(truth).all()):
        raise InputError("predictions or landmarks hold values that are not finite; remove those images or mend the files")
