"""The difference between the errors of two rows over the same images, with its bootstrap interval.

The bootstrap resamples images, or groups of images, once for both rows (paired), so that images that are hard for both do not
widen the interval.
The difference may therefore be significant even if the intervals of the two rows overlap widely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.nme import bootstrap_interval95
from kpdetect.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Mean error of one row minus that of another row (mean of ratios); if it is below 0, the first row is better.

    Attributes:
        mean: the difference over the test images.
        low, high: bootstrap 95 % interval over test images, or over their groups; the fitted regressions stay the same.
    """

    mean: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def paired_difference(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    seed: int = 0,
    *,
    summed: bool = False,
    groups: NDArray[np.integer] | None = None,
) -> Difference:
    """Compute the difference between the means of two arrays of errors of the same images.

    Args:
        first, second: errors [images, landmarks]; NaN where hidden.
        seed: seed of the resampling.
        summed: add up the means of the landmarks, instead of pooling all points; see `nme_percent`.
        groups: see `bootstrap_interval95`.

    Raises:
        InputError: the arrays have different shapes or different hidden landmarks.
    """
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        raise InputError(f"errors {first.shape} and {second.shape}: expected the same images and landmarks")
    gaps, shown = np.nan_to_num(first - second, nan=0.0), ~np.isnan(first)
    seen = shown.any(axis=0)
    totals, counts = gaps[:, seen], shown[:, seen].astype(np.int64)
    if not summed:
        totals, counts = totals.sum(axis=1, keepdims=True), counts.sum(axis=1, keepdims=True)
    parts = totals.shape[1]  # the sum of the landmarks' means is `parts` times their mean
    low, high = bootstrap_interval95(totals, counts, seed, groups)
    mean = float((totals.sum(axis=0) / counts.sum(axis=0)).sum())
    return Difference(mean=mean, low=parts * low, high=parts * high)
