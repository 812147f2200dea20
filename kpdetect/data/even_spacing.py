"""A choice of items that are spread evenly over a sequence."""

from __future__ import annotations

import numpy as np


def evenly_spaced(count: int, most: int) -> list[int]:
    """Choose at most `most` evenly spaced numbers below `count`, in ascending order."""
    numbers: list[int] = np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist()
    return numbers
