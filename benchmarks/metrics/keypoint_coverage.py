"""Coverage: how much of the object has keypoints near it, without labels.

A mask shows where the object is. If it is undecided, the object is where a drawing changes when its keypoints are moved.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.keypoint_quality import PERCENT, Points, Values

REACH = 10.0
"""Radius around a keypoint that the keypoint covers, in percent of the side."""
DECIDED, MOSTLY, FILLED = 0.3, 0.7, 0.8
"""A mask locates the object under two conditions. At least the share `MOSTLY` of its pixels differs from 0.5 by more than
`DECIDED`. The object fills at most the share `FILLED` of the frame."""
SMOOTHED, CHANGED = 0.1, 0.25
"""Changes of a drawing are averaged over squares of this share of the side. The object is where the average is above the second
value, as a share of its 99th percentile."""
Foreground = NDArray[np.bool_]
"""[images, height, width]: the pixels of the object; no pixel in an image whose object is not located."""


def foreground_of_masks(masks: NDArray[np.floating]) -> Foreground:
    """Locate the object in masks [images, height, width], probability of foreground at each pixel, 0 to 1."""
    decided = (np.abs(masks - 0.5) > DECIDED).mean(axis=(1, 2)) >= MOSTLY
    return _unless_filled((masks > 0.5) & decided[:, None, None])


def foreground_of_changes(changes: NDArray[np.floating]) -> Foreground:
    """Locate the object by how much each pixel of a drawing changes when its keypoints are moved, [images, height, width]."""
    side = max(1, round(SMOOTHED * float(np.sqrt(changes.shape[1] * changes.shape[2]))))
    smooth = np.stack([cv2.blur(np.asarray(change, np.float32), (side, side)) for change in changes])
    strongest = np.percentile(smooth, 99, axis=(1, 2), keepdims=True)
    return _unless_filled(smooth > CHANGED * np.maximum(strongest, 1e-6))


def _unless_filled(foreground: Foreground) -> Foreground:
    return np.asarray(foreground & (foreground.mean(axis=(1, 2)) <= FILLED)[:, None, None], np.bool_)


def foreground_within_reach(keypoints: Points, foreground: Foreground, reach: float = REACH) -> Values:
    """Measure the share of each image's foreground that lies within `reach` of a keypoint.

    Args:
        keypoints: [images, K, 2].
        foreground: [images, height, width].
        reach: radius around a keypoint, in percent of the side.

    Returns:
        [images], 0 to 1; NaN if the object is not located.
    """
    places, shares = _places(foreground), np.full(len(foreground), np.nan)
    for number, (points, inside) in enumerate(zip(np.asarray(keypoints, np.float64), foreground, strict=True)):
        if inside.any():
            near = np.linalg.norm(places[inside][:, None] - points, axis=-1).min(axis=-1) * PERCENT
            shares[number] = (near <= reach).mean()
    return shares


def foreground_within_hull(keypoints: Points, foreground: Foreground) -> Values:
    """Measure the share of each image's foreground that lies in the convex hull of the keypoints [images, K, 2].

    Returns:
        [images], 0 to 1; NaN if the object is not located.
    """
    _, height, width = foreground.shape
    shares = np.full(len(foreground), np.nan)
    for number, (points, inside) in enumerate(zip(np.asarray(keypoints, np.float64), foreground, strict=True)):
        if inside.any():
            corners = np.round((points + 1) / 2 * (width, height) - 0.5).astype(np.int32)
            hull = cv2.fillConvexPoly(np.zeros((height, width), np.uint8), cv2.convexHull(corners), 1)
            shares[number] = hull[inside].mean()
    return shares


def _places(foreground: Foreground) -> Values:
    """Return the normalised (x, y) of every pixel, [height, width, 2]."""
    _, height, width = foreground.shape
    x, y = (2 * np.arange(width) + 1) / width - 1, (2 * np.arange(height) + 1) / height - 1
    return np.stack(np.meshgrid(x, y), axis=-1)
