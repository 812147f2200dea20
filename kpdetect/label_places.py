"""Places of labels beside points, so that no label covers another label or another point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEW = 12
"""Up to this many keypoints, colours alone tell them apart and their labels seldom overlap."""
DIAGONAL = 0.7
"""Share of the distance at which labels stand at a corner of their point."""
_SIDES = ((1, -1), (1, 0), (1, 1), (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1))
"""Places of a label in the order of preference: x is -1 (left), 0 or 1 (right); y is -1 (above), 0 or 1 (below)."""


def label_places(points: ArrayLike, sizes: ArrayLike, reach: float, frame: tuple[float, float]) -> NDArray[np.float64]:
    """Find a free place beside each point for its label. Labels with the fewest free places choose first.

    Args:
        points: [K, 2], x and y. The label of a point that is NaN has no place.
        sizes: [K, 2], width and height of the labels.
        reach: distance from a point that belongs to the point; labels of other points stay outside the square of this reach.
        frame: width and height of the picture, which begins at (0, 0). Labels stay inside.

    Returns:
        [K, 2], left and top of each label; NaN if a label has no free place.
    """
    boxes = _candidates(np.asarray(points, np.float64), np.asarray(sizes, np.float64), reach)
    centres = np.asarray(points, np.float64)
    marks = np.concatenate([centres - reach, centres + reach], axis=1)
    covered = _overlap(boxes[:, :, None], marks[None, None])  # [K, places, K]
    covered[np.arange(len(boxes)), :, np.arange(len(boxes))] = False
    inside = (boxes[..., :2] >= 0).all(axis=-1) & (boxes[..., 2:] <= np.asarray(frame)).all(axis=-1)  # False for NaN
    free: NDArray[np.bool_] = np.asarray(inside & ~covered.any(axis=-1))
    places = np.full((len(boxes), 2), np.nan)
    waiting: NDArray[np.bool_] = np.asarray(free.any(axis=1))
    while waiting.any():
        label = int(np.where(waiting, free.sum(axis=1), len(_SIDES) + 1).argmin())
        box = boxes[label, free[label].argmax()]
        places[label] = box[:2]
        waiting[label] = False
        free &= ~_overlap(boxes, box)
        waiting &= free.any(axis=1)
    return places


def first_places(points: ArrayLike, sizes: ArrayLike, reach: float) -> NDArray[np.float64]:
    """Return left and top [K, 2] of each label at its preferred place, right above its point, whatever it covers."""
    return _candidates(np.asarray(points, np.float64), np.asarray(sizes, np.float64), reach)[:, 0, :2]


def _candidates(points: NDArray[np.float64], sizes: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Compute left, top, right and bottom [K, places, 4] of the labels at every place."""
    sides = np.array(_SIDES, np.float64)
    away = reach * np.where(sides.all(axis=1), DIAGONAL, 1.0)
    middles = points[:, None] + sides * (away[:, None] + sizes[:, None] / 2)
    return np.concatenate([middles - sizes[:, None] / 2, middles + sizes[:, None] / 2], axis=-1)


def _overlap(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(((boxes[..., :2] < others[..., 2:]) & (others[..., :2] < boxes[..., 2:])).all(axis=-1))
