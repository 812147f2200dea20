"""Percentage of correct keypoints (PCK): the share of visible points whose error is at most a threshold, and the area
under that curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pck_percent(errors: NDArray[np.floating], thresholds: Sequence[float]) -> list[float]:
    """Percent of the errors [images, landmarks] (NaN: hidden, not counted) that are at most each threshold."""
    values = errors[~np.isnan(errors)]
    return [100.0 * float((values <= threshold).mean()) for threshold in thresholds]


def auc_percent(errors: NDArray[np.floating], limit: float) -> float:
    """Area under the PCK curve from 0 to `limit`, in percent of the area of a perfect one; exact, not summed in steps."""
    values = errors[~np.isnan(errors)]
    return 100.0 * float(np.clip(limit - values, 0, None).mean()) / limit
