"""Pictures of keypoints: one colour per keypoint, confidence as opacity, small images enlarged so that points are seen."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.images import Image

MIN_SIDE = 128
"""Images whose shorter side is less are enlarged by a whole factor before anything is drawn."""
_GOLDEN = 0.61803398875


def keypoint_colour(number: int) -> tuple[int, int, int]:
    """RGB of a keypoint: neighbours in number are far apart in hue, later rounds are darker."""
    hue = (number * _GOLDEN) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.65 if number % 2 else 1.0, 1.0 if number % 3 else 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_keypoints(
    image: Image,
    keypoints_px: NDArray[np.floating],
    confidence: NDArray[np.floating] | None = None,
    *,
    numbers: bool = False,
) -> Image:
    """Draw keypoints on a copy of an image.

    Args:
        image: uint8 RGB [height, width, 3].
        keypoints_px: [K, 2] in its pixels; points outside are left out.
        confidence: [K] in [0, 1], drawn as opacity (never below 0.15); opaque without it.
        numbers: write each keypoint's number beside it.

    Returns:
        uint8 [factor * height, factor * width, 3], factor = 1 for images of at least `MIN_SIDE` pixels.
    """
    height, width = image.shape[:2]
    factor = max(1, -(-MIN_SIDE // min(height, width)))
    canvas = image.repeat(factor, axis=0).repeat(factor, axis=1)
    radius = max(2, round(min(canvas.shape[:2]) / 64))
    for number, (x, y) in enumerate(np.asarray(keypoints_px, dtype=np.float64)):
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            continue
        opacity = 1.0 if confidence is None else float(np.clip(confidence[number], 0.15, 1.0))
        centre = (round((x + 0.5) * factor - 0.5), round((y + 0.5) * factor - 0.5))
        canvas = _blend(canvas, centre, radius, keypoint_colour(number), opacity, str(number) if numbers else "")
    return canvas


def _blend(
    canvas: Image, centre: tuple[int, int], radius: int, colour: tuple[int, int, int], opacity: float, label: str
) -> Image:
    layer = canvas.copy()
    cv2.circle(layer, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.circle(layer, centre, radius, colour, -1, cv2.LINE_AA)
    if label:
        place = (centre[0] + radius + 1, centre[1] - radius)
        for shade, thickness in (((0, 0, 0), 3), (colour, 1)):
            cv2.putText(layer, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.13 * radius, shade, thickness, cv2.LINE_AA)
    return cv2.addWeighted(layer, opacity, canvas, 1 - opacity, 0)  # type: ignore[return-value]


def contact_sheet(images: Sequence[Image], columns: int, gap: int = 2) -> Image:
    """Images of any sizes in a grid, each in a cell of the largest size, on white.

    Raises:
        ValueError: no images.
    """
    if not images:
        raise ValueError("a contact sheet needs at least one image")
    columns = min(columns, len(images))
    height, width = (max(image.shape[axis] for image in images) + gap for axis in (0, 1))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * height, number % columns * width
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet
