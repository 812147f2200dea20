"""Intersection over union of foreground masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError


def intersection_over_union(masks: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the IoU [images] of masks [images, height, width]; it is 1 for two empty masks.

    Raises:
        InputError: the arrays have different shapes.
    """
    if masks.shape != truth.shape or masks.ndim != 3:
        raise InputError(f"masks {masks.shape} and {truth.shape}: expected equal shapes [images, height, width]")
    both, either = (masks & truth).sum(axis=(1, 2)), (masks | truth).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def constant_mask(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask [height, width] of pixels that are foreground in most of the masks [images, height, width].

    Its overlap with each mask is the floor: the score of a prediction that does not depend on the image.
    """
    return np.asarray(truth.mean(axis=0) > 0.5)
