"""Normalised mean error (NME): distance between predicted and annotated landmarks over a unit of the image.

For image n and visible landmark l: d[n, l] = |predicted - truth|; s[n] is the image's unit, on faces the inter-ocular
distance. "Mean of ratios" is mean(d / s), the usual number; "ratio of means" is mean(d) / mean(s), which a few profile
faces with a tiny s cannot dominate; the median is taken over images of each image's mean ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class NmeScore:
    """Errors in percent of the unit.

    Attributes:
        mean_of_ratios: mean over images and visible landmarks of distance / unit.
        ratio_of_means: mean distance / mean unit.
        median: median over images of the image's mean ratio.
        per_point: mean of ratios of each landmark; NaN for one that no test image shows.
        interval95: bootstrap 95 % interval of `mean_of_ratios` over test images; the fitted regression is held fixed.
    """

    mean_of_ratios: float
    ratio_of_means: float
    median: float
    per_point: tuple[float, ...]
    interval95: tuple[float, float]


def point_errors_percent(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], unit: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Errors [images, landmarks] in percent of each image's unit; NaN where the landmark is hidden.

    Args:
        predicted: [images, landmarks, 2].
        truth: [images, landmarks, 2], the same coordinates as `predicted`; NaN where hidden.
        unit: [images], the same coordinates, over 0.

    Raises:
        InputError: shapes that do not fit, a prediction or a unit that is not finite, a unit of 0, an image without landmarks.
    """
    _check(predicted, truth, unit)
    return 100.0 * _distances(predicted, truth) / unit[:, None]


def nme_percent(predicted: NDArray[np.floating], truth: NDArray[np.floating], unit: NDArray[np.floating]) -> NmeScore:
    """All statistics of `point_errors_percent` at once; same arguments, same errors raised."""
    ratios = point_errors_percent(predicted, truth, unit)
    visible = np.asarray(~np.isnan(ratios))
    spread = np.broadcast_to(unit[:, None], ratios.shape)[visible]
    seen = np.asarray(visible.any(axis=0))
    per_point = np.full(len(seen), np.nan)
    per_point[seen] = np.nanmean(ratios[:, seen], axis=0)
    return NmeScore(
        mean_of_ratios=float(ratios[visible].mean()),
        ratio_of_means=float(100.0 * _distances(predicted, truth)[visible].mean() / spread.mean()),
        median=float(np.median(np.nanmean(ratios, axis=1))),
        per_point=tuple(float(value) for value in per_point),
        interval95=bootstrap_interval95(np.nansum(ratios, axis=1), visible.sum(axis=1)),
    )


def bootstrap_interval95(totals: NDArray[np.float64], counts: NDArray[np.integer], seed: int = 0) -> tuple[float, float]:
    """2.5 % and 97.5 % quantiles of sum(totals) / sum(counts) over resampled images; the same for the same input.

    Args:
        totals: sum of the values of each image.
        counts: number of values of each image.
        seed: of the resampling.
    """
    random = np.random.default_rng(seed)
    drawn = [random.integers(0, len(totals), len(totals)) for _ in range(RESAMPLES)]
    low, high = np.quantile([totals[chosen].sum() / counts[chosen].sum() for chosen in drawn], (0.025, 0.975))
    return float(low), float(high)


def exchange_names(
    predicted: NDArray[np.float64], truth: NDArray[np.floating], exchanged: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Predictions [images, landmarks, 2] with their landmarks reordered by `exchanged` in the images where that is nearer."""
    other = predicted[:, exchanged]
    gain = np.nansum(_distances(predicted, truth), axis=1) > np.nansum(_distances(other, truth), axis=1)
    return np.where(gain[:, None, None], other, predicted)


def _distances(predicted: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    gap = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    return np.asarray(np.linalg.norm(gap, axis=-1), np.float64)


def _check(predicted: NDArray[np.floating], truth: NDArray[np.floating], unit: NDArray[np.floating]) -> None:
    if predicted.shape != truth.shape or not len(truth):
        raise InputError(f"predictions {predicted.shape} and landmarks {truth.shape}: expected equal, non-empty shapes")
    if not np.isfinite(predicted).all():
        raise InputError("predictions hold values that are not finite; remove those images or mend the files")
    if np.isnan(truth).any(axis=-1).all(axis=1).any() or np.isinf(truth).any():
        raise InputError("landmarks: an image has none, or one is infinite; remove that image from the test list")
    if not (np.isfinite(unit).all() and (unit > 0).all()):
        raise InputError(
            f"test image {int(np.argmin(unit))}: unit of the error {np.min(unit)}; expected over 0; remove the image"
        )
