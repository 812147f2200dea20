"""The background behind the head: plain, gradient, stripes, blobs or low-frequency noise, in two colours."""

from __future__ import annotations

import colorsys
from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.toy.scene import Backdrop

Canvas = NDArray[np.float32]
"""A supersampled RGB image [side, side, 3], values 0 to 255."""
Colour = tuple[float, float, float]
SHIFT = 8
"""OpenCV rounds coordinates to multiples of 2^-SHIFT pixels."""


def rgb(hue: float, saturation: float, value: float) -> Colour:
    """Convert hue, saturation and value to (red, green, blue) from 0 to 255.

    Args:
        hue: any number. Whole numbers are red.
        saturation: 0 to 1.
        value: 0 to 1.
    """
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def fill(canvas: NDArray[np.float32] | NDArray[np.uint8], outline: NDArray[np.float64], colour: Colour | int) -> None:
    """Fill a polygon in `canvas`, in place. `outline` [N, 2] is in pixels of the canvas."""
    fixed = np.rint(outline * (1 << SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_8, SHIFT)  # type: ignore[call-overload]


def paint_background(background: Backdrop, side: int) -> Canvas:
    """Draw a background on a new canvas [side, side, 3]."""
    first, second = rgb(*background.first), rgb(*background.second)
    if background.kind == "gradient":
        return _gradient(first, second, background.angle, side)
    if background.kind == "noise":
        return _noise(first, second, background.texture, side)
    canvas = np.empty((side, side, 3), dtype=np.float32)
    canvas[:] = np.array(first, dtype=np.float32)
    if background.kind == "stripes":
        _stripes(canvas, second, background)
    elif background.kind == "blobs":
        _blobs(canvas, second, background)
    return canvas


def _mix(first: Colour, second: Colour, share: NDArray[np.floating]) -> Canvas:
    start, end = np.array(first, np.float32), np.array(second, np.float32)
    return (start + share[..., None] * (end - start)).astype(np.float32)


def _gradient(first: Colour, second: Colour, angle: float, side: int) -> Canvas:
    place = np.linspace(-0.5, 0.5, 16)
    share = 0.5 + 0.7 * (cos(radians(angle)) * place[None, :] + sin(radians(angle)) * place[:, None])
    return _enlarged(_mix(first, second, np.clip(share, 0.0, 1.0)), side, cv2.INTER_LINEAR)


def _noise(first: Colour, second: Colour, texture: int, side: int) -> Canvas:
    share = np.random.Generator(np.random.Philox(texture)).random((6, 6))
    return np.clip(_enlarged(_mix(first, second, share), side, cv2.INTER_CUBIC), 0.0, 255.0)


def _enlarged(picture: Canvas, side: int, interpolation: int) -> Canvas:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=interpolation), dtype=np.float32)


def _stripes(canvas: Canvas, colour: Colour, background: Backdrop) -> None:
    side = canvas.shape[0]
    angle = radians(background.angle)
    across, along = np.array([cos(angle), sin(angle)]), np.array([-sin(angle), cos(angle)])
    period = background.period * side
    phase = (background.texture % 1000) / 1000
    for number in range(-int(side / period) - 1, int(side / period) + 2):
        start = (number + phase) * period
        corners = [(start, -side), (start + period / 2, -side), (start + period / 2, side), (start, side)]
        fill(canvas, np.array([side / 2 + u * across + v * along for u, v in corners]), colour)


def _blobs(canvas: Canvas, colour: Colour, background: Backdrop) -> None:
    side = canvas.shape[0]
    generator = np.random.Generator(np.random.Philox(background.texture))
    for x, y, radius in generator.random((10, 3)).tolist():
        centre = (round(x * side), round(y * side))
        cv2.circle(canvas, centre, round((0.3 + 0.4 * radius) * background.period * side), colour, cv2.FILLED)
