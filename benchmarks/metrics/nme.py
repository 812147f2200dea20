"""Normalised mean error (NME): the distance between predicted and annotated landmarks, divided by a unit of the image.

For image n and visible landmark l, d[n, l] = |predicted - truth|. The image's unit is s[n]; on faces it is the inter-ocular
distance. There are three statistics. "Mean of ratios" is mean(d / s), the usual number. "Ratio of means" is
mean(d) / mean(s); a few profile faces with a tiny s cannot dominate it. "Median" is the median over images of each image's mean
ratio.

The statistics pool all points. Some protocols instead add up the means of the landmarks, however often each is visible.

Percentage of correct keypoints (PCK): the share of visible points whose error is at most a threshold, and the area under
that curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.definition import Distance
from kpdetect.errors import InputError

RESAMPLES, BLOCK = 2000, 1_000_000
"""Number of bootstrap resamples, and number of drawn images that are held in memory at once."""


@dataclass(frozen=True, kw_only=True)
class NmeScore:
    """Errors in percent of the unit.

    Attributes:
        mean_of_ratios: mean of distance / unit over images and visible landmarks, or the sum of the landmarks' means.
        ratio_of_means: mean distance / mean unit.
        median: median over images of the image's mean ratio.
        per_point: mean of ratios of each landmark; NaN for a landmark that no test image shows.
        interval95: bootstrap 95 % interval of `mean_of_ratios` over test images, or over their groups; the fitted regression
            stays the same.
    """

    mean_of_ratios: float
    ratio_of_means: float
    median: float
    per_point: tuple[float, ...]
    interval95: tuple[float, float]


def point_errors_percent(
    predicted: NDArray[np.floating],
    truth: NDArray[np.floating],
    unit: NDArray[np.floating],
    distance: Distance = "euclidean",
) -> NDArray[np.float64]:
    """Compute errors [images, landmarks] in percent of each image's unit; NaN where the landmark is hidden.

    Args:
        predicted: [images, landmarks, 2].
        truth: [images, landmarks, 2], in the coordinates of `predicted`; NaN where hidden.
        unit: [images], a length in the same coordinates, above 0.
        distance: distance between points: `euclidean`, or `taxicab` (|dx| + |dy|).

    Raises:
        InputError: the shapes differ, a prediction or a unit is not finite, a unit is 0, or an image has no landmarks.
    """
    _check(predicted, truth, unit)
    return 100.0 * _distances(predicted, truth, distance) / unit[:, None]


def nme_percent(
    predicted: NDArray[np.floating],
    truth: NDArray[np.floating],
    unit: NDArray[np.floating],
    distance: Distance = "euclidean",
    *,
    summed: bool = False,
    groups: NDArray[np.integer] | None = None,
) -> NmeScore:
    """Compute all statistics of the errors of `point_errors_percent`, with the same arguments and exceptions.

    Args:
        predicted, truth, unit, distance: see `point_errors_percent`.
        summed: add up the means of the landmarks, instead of pooling all points.
        groups: see `bootstrap_interval95`.
    """
    ratios = point_errors_percent(predicted, truth, unit, distance)
    visible = np.asarray(~np.isnan(ratios))
    spread = np.broadcast_to(unit[:, None], ratios.shape)[visible]
    seen = np.asarray(visible.any(axis=0))
    per_point = np.full(len(seen), np.nan)
    per_point[seen] = np.nanmean(ratios[:, seen], axis=0)
    totals, counts = np.nan_to_num(ratios, nan=0.0), visible.astype(np.int64)
    if not summed:
        totals, counts = totals.sum(axis=1), counts.sum(axis=1)
    low, high = bootstrap_interval95(totals, counts, groups=groups)
    times = int(seen.sum()) if summed else 1  # the sum of the landmarks' means is `times` their mean
    return NmeScore(
        mean_of_ratios=float(per_point[seen].sum() if summed else ratios[visible].mean()),
        ratio_of_means=float(times * 100.0 * _distances(predicted, truth, distance)[visible].mean() / spread.mean()),
        median=float(times * np.median(np.nanmean(ratios, axis=1))),
        per_point=tuple(float(value) for value in per_point),
        interval95=(times * low, times * high),
    )


def bootstrap_interval95(
    totals: NDArray[np.float64], counts: NDArray[np.integer], seed: int = 0, groups: NDArray[np.integer] | None = None
) -> tuple[float, float]:
    """Compute the 2.5 % and 97.5 % quantiles of sum(totals) / sum(counts) over resampled images or groups; deterministic.

    Args:
        totals: sum of the values of each image, [images]; or [images, parts], where the quotients of the parts are averaged.
        counts: number of values of each image, in the shape of `totals`.
        seed: seed of the resampling.
        groups: [images], the group of each image. Whole groups are resampled, because images of one group look alike. None to
            resample single images.
    """
    sums, numbers = (np.asarray(values, np.float64).reshape(len(totals), -1) for values in (totals, counts))
    if groups is not None:
        sums, numbers = _by_group(sums, groups), _by_group(numbers, groups)
    random, images = np.random.default_rng(seed), len(sums)
    means: list[float] = []
    while len(means) < RESAMPLES:
        block = min(RESAMPLES - len(means), max(1, BLOCK // images))
        drawn = random.integers(0, images, (block, images)) + images * np.arange(block)[:, None]
        times = np.bincount(drawn.ravel(), minlength=block * images).reshape(block, images).astype(np.float64)
        with np.errstate(invalid="ignore"):  # the mean leaves out a part that no drawn image shows
            means += np.nanmean((times @ sums) / (times @ numbers), axis=1).tolist()
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _by_group(values: NDArray[np.float64], groups: NDArray[np.integer]) -> NDArray[np.float64]:
    names, member = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, member, values)
    return sums


def exchange_names(
    points: NDArray[np.float64],
    reference: NDArray[np.floating],
    exchanged: NDArray[np.int64],
    distance: Distance = "euclidean",
) -> NDArray[np.float64]:
    """Reorder the landmarks of each image by `exchanged` if this brings them nearer to `reference`.

    Args:
        points: landmarks [images, landmarks, 2].
        reference: landmarks [images, landmarks, 2]; this or `points` may hold NaN where a landmark is hidden.
        exchanged: order of the landmarks after the exchange of names, [landmarks].
        distance: see `point_errors_percent`.

    Returns:
        [images, landmarks, 2].
    """
    other = points[:, exchanged]
    before, after = (np.nansum(_distances(named, reference, distance), axis=1) for named in (points, other))
    gain = before > after
    return np.where(gain[:, None, None], other, points)


def _distances(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], distance: Distance = "euclidean"
) -> NDArray[np.float64]:
    gap = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    return np.asarray(np.linalg.norm(gap, ord=2 if distance == "euclidean" else 1, axis=-1), np.float64)


def _check(predicted: NDArray[np.floating], truth: NDArray[np.floating], unit: NDArray[np.floating]) -> None:
    if predicted.shape != truth.shape or not len(truth):
        raise InputError(f"predictions {predicted.shape} and landmarks {truth.shape}: expected equal, non-empty shapes")
    if not np.isfinite(predicted).all():
        raise InputError("predictions hold values that are not finite; remove those images or predict them again")
    if np.isnan(truth).any(axis=-1).all(axis=1).any() or np.isinf(truth).any():
        raise InputError("landmarks: an image has none, or one is infinite; remove that image from the test list")
    if not (np.isfinite(unit).all() and (unit > 0).all()):
        raise InputError(
            f"test image {int(np.argmin(unit))}: the unit of the error is {np.min(unit)}; expected over 0; remove the image"
        )


def pck_percent(errors: NDArray[np.floating], thresholds: Sequence[float]) -> list[float]:
    """Compute, for each threshold, the percentage of errors [images, landmarks] up to it; NaN (hidden) does not count."""
    values = errors[~np.isnan(errors)]
    return [100.0 * float((values <= threshold).mean()) for threshold in thresholds]


def auc_percent(errors: NDArray[np.floating], limit: float) -> float:
    """Compute the exact area under the PCK curve from 0 to `limit`, in percent of the area of a perfect curve."""
    values = errors[~np.isnan(errors)]
    return 100.0 * float(np.clip(limit - values, 0, None).mean()) / limit
