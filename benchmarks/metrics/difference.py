"""Whether two rows can be told apart: the difference of their errors over the same images, with its bootstrap interval.

Images are drawn once for both rows (paired), so what makes an image hard for both cancels; the intervals of the rows themselves
may overlap widely while the difference is certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.nme import bootstrap_interval95
from kpdetect.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Mean of ratios of one row minus that of another; below 0 the first is better.

    Attributes:
        mean: over the test images.
        low, high: bootstrap 95 % interval over test images; the fitted regressions are held fixed.
    """

    mean: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired_difference(
    first: NDArray[np.floating], second: NDArray[np.floating], seed: int = 0, *, summed: bool = False
) -> Difference:
    """Difference of the means of two arrays of errors [images, landmarks] of the same images; NaN where hidden.

    Args:
        first, second: the errors.
        seed: of the resampling.
        summed: the landmarks' own means are added up, instead of pooling all points, see `nme_percent`.

    Raises:
        InputError: other shapes, or other landmarks hidden.
    """
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        raise InputError(f"errors {first.shape} and {second.shape}: expected the same images and landmarks")
    gaps, shown = np.nan_to_num(first - second, nan=0.0), ~np.isnan(first)
    seen = shown.any(axis=0)
    totals, counts = gaps[:, seen], shown[:, seen].astype(np.int64)
    if not summed:
        totals, counts = totals.sum(axis=1, keepdims=True), counts.sum(axis=1, keepdims=True)
    parts = totals.shape[1]  # a sum is that many times a mean
    low, high = bootstrap_interval95(totals, counts, seed)
    mean = float((totals.sum(axis=0) / counts.sum(axis=0)).sum())
    return Difference(mean=mean, low=parts * low, high=parts * high)
