"""Intersection over union of foreground masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError


def intersection_over_union(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Per image [images] of masks [images, height, width]; two empty masks agree.

    Raises:
        InputError: different shapes.
    """
    if found.shape != truth.shape or found.ndim != 3:
        raise InputError(f"masks {found.shape} and {truth.shape}: expected two of the same [images, height, width]")
    both, either = (found & truth).sum(axis=(1, 2)), (found | truth).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def constant_mask(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask [height, width] of the pixels that are foreground in most images [images, height, width]: a guess that looks at
    no image, and so the floor."""
    return np.asarray(truth.mean(axis=0) > 0.5)
