"""Tiles for sheets that compare images. A tile shows an image, an image with keypoints, or a difference of two images.

Small images are enlarged by a whole factor.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.draw import MIN_SIDE, draw_keypoints
from kpdetect.images.arrays import Image
from kpdetect.skeleton import Skeleton

LEAST_WHITE = 6
"""Smallest difference in grey levels that may be scaled to white, so that noise stays dark."""


def plain_tiles(images: NDArray[np.uint8]) -> list[Image]:
    """Enlarge images uint8 [images, height, width, 3] until their shorter side has `MIN_SIDE` pixels."""
    factor = max(1, -(-MIN_SIDE // min(images.shape[1:3])))
    return list(images.repeat(factor, axis=1).repeat(factor, axis=2))


def marked_tiles(
    images: NDArray[np.uint8],
    keypoints_px: NDArray[np.floating],
    *,
    skeleton: Skeleton | None = None,
    before_px: NDArray[np.floating] | None = None,
) -> list[Image]:
    """Draw keypoints [images, K, 2] on images.

    With `skeleton`, the numbers or names of the keypoints are drawn too. With `before_px` [images, K, 2], a line leads
    from each old position to the new one.
    """
    return [
        draw_keypoints(
            image,
            points,
            numbers=skeleton is not None,
            skeleton=skeleton,
            trails_px=() if before_px is None else (before_px[row],),
        )
        for row, (image, points) in enumerate(zip(images, keypoints_px, strict=True))
    ]


def difference_tiles(images: NDArray[np.uint8], before: NDArray[np.uint8]) -> list[Image]:
    """Draw the absolute difference of two sets of images, averaged over channels; the largest is white."""
    apart = np.abs(images.astype(np.float32) - before).mean(axis=3, keepdims=True)
    levels = (apart * (255 / max(float(apart.max()), LEAST_WHITE))).round().astype(np.uint8)
    return plain_tiles(levels.repeat(3, axis=3))


def sheet_of(columns: Sequence[tuple[str, Sequence[Image]]]) -> Image:
    """Join columns into one picture, with the name of each column above it. All tiles have the same size."""
    width = columns[0][1][0].shape[1]
    strip = np.full((20, width * len(columns), 3), 255, np.uint8)
    for number, (name, _) in enumerate(columns):
        place = (number * width + 4, 14)
        cv2.putText(strip, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    rows = zip(*(tiles for _, tiles in columns), strict=True)
    return np.concatenate([strip, *(np.concatenate(row, axis=1) for row in rows)])
