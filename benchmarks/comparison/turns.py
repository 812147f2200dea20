"""Annotated images in four quarter turns, and how often a model exchanges the two ends of an object in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
TURNS = 4
"""Number of quarter turns, counterclockwise as `np.rot90` turns images."""


def turned_points(points_px: Values, size: tuple[int, int], turns: int) -> Values:
    """Turn points [..., 2] in pixels together with their image.

    Args:
        points_px: points (x, y) of the image before the turn.
        size: (height, width) of the image before the turn.
        turns: number of quarter turns, counterclockwise.
    """
    height, width = size
    for _ in range(turns):
        points_px = np.stack([points_px[..., 1], width - 1 - points_px[..., 0]], axis=-1)
        height, width = width, height
    return points_px


def exchanged_ends(keypoints_px: Values, points_px: Values) -> Values:
    """Measure in which images a model exchanges the ends of the object.

    The ends are the two annotated points that are farthest apart on average. Each end has a keypoint, the one that is nearest
    to it on average. It is exchanged in an image if it is nearer to the other end there.

    Args:
        keypoints_px: [images, keypoints, 2] in pixels.
        points_px: [images, points, 2] in pixels; NaN where hidden. There are at least two points.

    Returns:
        [images], the share of the two keypoints that are exchanged: 0, 0.5 or 1; NaN where an end is hidden.
    """
    apart = np.nanmean(np.linalg.norm(points_px[:, :, None] - points_px[:, None], axis=-1), axis=0)
    one, other = (int(each) for each in np.unravel_index(np.argmax(apart), apart.shape))
    ends = points_px[:, [one, other]]
    away = np.linalg.norm(keypoints_px[:, :, None] - ends[:, None], axis=-1)  # [images, keypoints, 2]
    nearest = np.nanmean(away, axis=0).argmin(axis=0)
    wrong = [away[:, nearest[0], 0] > away[:, nearest[0], 1], away[:, nearest[1], 1] > away[:, nearest[1], 0]]
    return np.where(np.isnan(ends).any(axis=(1, 2)), np.nan, np.mean(wrong, axis=0))


def by_turn(turns: NDArray[np.int64], measured: Callable[[NDArray[np.bool_]], float]) -> dict[str, float]:
    """Measure the images of each turn on their own. The keys are degrees. Without turns there is nothing to tell apart.

    Args:
        turns: [images], number of quarter turns of each image.
        measured: function of the images of a turn, as a mask.
    """
    numbers = np.unique(turns)
    return {str(90 * turn): round(float(measured(turns == turn)), 4) for turn in numbers} if len(numbers) > 1 else {}
