"""A picture with its keypoints, no larger than asked for."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine, crop_resize_affine
from kpdetect.draw import MIN_SIDE, NAMED_SIDE, draw_keypoints
from kpdetect.images import Image
from kpdetect.skeleton import Skeleton


def draw_overlay(
    image: Image,
    keypoints_px: NDArray[np.floating],
    confidence: NDArray[np.floating],
    skeleton: Skeleton,
    *,
    max_side: int,
    trails_px: Sequence[NDArray[np.floating]] = (),
) -> Image:
    """Scale an image down to `max_side`, or up by a whole factor, and draw keypoints, links, names if there are any, and
    trails.

    Args:
        image: uint8 RGB [height, width, 3].
        keypoints_px: [K, 2] in its pixels; NaN is not drawn.
        confidence: [K], drawn as opacity.
        skeleton: of the K keypoints.
        max_side: largest longer side of the result in pixels.
        trails_px: keypoints [K, 2] of earlier frames, oldest first.
    """
    height, width = image.shape[:2]
    share = max_side / max(height, width)
    points = [*trails_px, keypoints_px]
    if share < 1:
        size = (max(1, round(height * share)), max(1, round(width * share)))
        image = np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        matrix = crop_resize_affine((0, 0, width, height), size)
        points = [apply_affine(matrix, item) for item in points]
    return draw_keypoints(
        image,
        points[-1],
        confidence,
        numbers=skeleton.named,
        skeleton=skeleton,
        trails_px=points[:-1],
        min_side=NAMED_SIDE if skeleton.named else MIN_SIDE,
        max_side=max_side,
    )
