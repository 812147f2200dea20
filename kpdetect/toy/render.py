"""Draw a scene. Polygons are drawn at `supersample` times the size, averaged over areas, and then lit.

Filled polygons have hard edges. The average of supersample^2 samples per pixel makes them smooth. A filled polygon includes the
samples that its outline touches. So shapes grow by about half a sample on every side, and stay centred.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.toy.background import Canvas, Colour, fill, paint_background, rgb
from kpdetect.toy.geometry import (
    NOSE_LIFT,
    Geometry,
    Points,
    bar_axes,
    bar_extent,
    brow_centres,
    eye_centres,
    hairline,
    keypoints_px,
    mouth_corners,
    nose_tip,
    visible,
)
from kpdetect.toy.scene import Light, Occluder, Scene

SUPERSAMPLE = 4
WHITE, BLACK, MOUTH_INSIDE = (250.0, 250.0, 245.0), (12.0, 10.0, 14.0), (70.0, 8.0, 16.0)
_TURN = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=-1)
_ARC = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
WIDE_CIRCLE = np.stack([np.cos(_ARC), np.sin(_ARC)], axis=-1)
HAIR = np.where(WIDE_CIRCLE[:, 1:] > 0, np.sign(WIDE_CIRCLE) * np.abs(WIDE_CIRCLE) ** [0.5, 1.0], WIDE_CIRCLE)
"""Outline of the hair: a circle whose lower half is nearly square."""
CURVE = np.linspace(-1.0, 1.0, 9)
EYE_WIDTH = 0.21
IRIS = 0.12


@dataclass(frozen=True)
class Rendered:
    """A drawn scene."""

    image: NDArray[np.uint8]
    """RGB image, uint8 [size, size, 3]."""
    mask: NDArray[np.uint8]
    """Mask [size, size]: 255 where the head with its hair covers at least half the pixel and is not occluded; 0 elsewhere."""
    keypoints_px: NDArray[np.float64]
    """Exact keypoints (x, y) [P, 2] in pixels, in the order of `KEYPOINT_NAMES`."""
    visible: NDArray[np.bool_]
    """Whether each keypoint is inside the image and not occluded, [P]."""


class Painter:
    """Fills outlines on a supersampled canvas. The outlines are in coordinate frames of the scene (see `geometry`)."""

    def __init__(self, geometry: Geometry, canvas: Canvas, supersample: int) -> None:
        self.geometry, self.canvas, self.supersample = geometry, canvas, supersample
        self.mask = np.zeros(canvas.shape[:2], dtype=np.uint8)

    def head(self, outline: Points, colour: Colour, *, solid: int | None = None) -> None:
        """Fill an outline [N, 2] of the head frame. `solid` is written into the mask; None leaves the mask unchanged."""
        self._fill(self.geometry.head_to_frame(outline), colour, solid)

    def face(self, outline: Points, colour: Colour, lift: float = 1.0) -> None:
        """Fill an outline [N, 2] of the face frame. See `Geometry.face_to_head` for `lift`."""
        self._fill(self.geometry.face_to_frame(outline, lift), colour, None)

    def _fill(self, outline_px: Points, colour: Colour, solid: int | None) -> None:
        outline = (outline_px + 0.5) * self.supersample - 0.5
        fill(self.canvas, outline, colour)
        if solid is not None:
            fill(self.mask, outline, solid)


def render(scene: Scene, size: int, *, supersample: int = SUPERSAMPLE) -> Rendered:
    """Draw a scene.

    Args:
        scene: the scene to draw.
        size: side of the square image in pixels.
        supersample: number of samples per pixel along each axis.
    """
    painter = Painter(Geometry(scene, size), paint_background(scene.background, size * supersample), supersample)
    _paint_head(painter, scene)
    _paint_nose(painter, scene)
    _paint_mouth(painter, scene)
    _paint_eyes(painter, scene)
    _paint_fringe(painter, scene)
    _paint_brows(painter, scene)
    if scene.occluder is not None:
        _paint_occluder(painter, scene.occluder)
    image = cv2.resize(painter.canvas, (size, size), interpolation=cv2.INTER_AREA)
    coverage = cv2.resize(painter.mask, (size, size), interpolation=cv2.INTER_AREA)
    lit = np.clip(image * _light_field(scene.light, size) + 0.5, 0.0, 255.0)
    return Rendered(
        image=lit.astype(np.uint8),
        mask=np.where(coverage >= 128, 255, 0).astype(np.uint8),
        keypoints_px=keypoints_px(scene, size),
        visible=visible(scene, size),
    )


def _light_field(light: Light, size: int) -> NDArray[np.float32]:
    place = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    angle = radians(light.direction)
    slope = cos(angle) * place[None, :] + sin(angle) * place[:, None]
    field: NDArray[np.float32] = (light.gain * (1 + light.slope * slope)).astype(np.float32)
    return field[..., None]


def _ellipse(centre: Points, half_width: float, half_height: float) -> Points:
    return np.asarray(centre + CIRCLE * np.array([half_width, half_height]))


def _skin(scene: Scene, value: float = 1.0, saturation: float = 0.0) -> Colour:
    colours = scene.colours
    return rgb(colours.skin_hue, colours.skin_saturation + saturation, colours.skin_value * value)


def _hair(scene: Scene, value: float = 1.0) -> Colour:
    colours = scene.colours
    return rgb(colours.hair_hue, colours.hair_saturation, colours.hair_value * value)


def _paint_head(painter: Painter, scene: Scene) -> None:
    parts = scene.parts
    top, bottom = -1.0 - parts.hair_volume, 0.05 + 0.80 * parts.hair_length
    middle, half = (top + bottom) / 2, (bottom - top) / 2
    hair = np.array([0.0, middle]) + HAIR * np.array([parts.head_width + parts.hair_volume, half])
    painter.head(hair, _hair(scene, 0.8), solid=255)
    ears = parts.head_width - 0.02
    hidden = 0.35 * sin(radians(scene.pose.yaw))  # the ear on the side to which the head turns moves behind it
    for side in (-1.0, 1.0):
        ear = _ellipse(np.array([side * ears - hidden, 0.06]), 0.13, 0.20)
        painter.head(ear, _skin(scene, 0.85), solid=255)
    heights = WIDE_CIRCLE[:, 1]
    outline = np.stack([np.sign(WIDE_CIRCLE[:, 0]) * painter.geometry.half_width(heights), heights], axis=-1)
    painter.head(outline, _skin(scene), solid=255)


def _paint_fringe(painter: Painter, scene: Scene) -> None:
    edge = hairline(scene, 0.97 * scene.parts.head_width * CURVE)
    turned = painter.geometry.face_to_head(edge)
    left, right = (np.arctan2(y, x / scene.parts.head_width) for x, y in (turned[0], turned[-1]))
    angles = np.linspace(right, left - 2 * np.pi if left > 0 else left, 14)  # across the top of the head, where y is negative
    cap = 1.03 * np.stack([scene.parts.head_width * np.cos(angles), np.sin(angles)], axis=-1)
    painter.head(np.concatenate([turned, cap]), _hair(scene), solid=255)


def _paint_nose(painter: Painter, scene: Scene) -> None:
    tip = nose_tip(scene)
    bridge = np.array([[-0.05, -scene.parts.eye_height], [0.05, -scene.parts.eye_height]])
    painter.face(np.concatenate([bridge, tip + np.array([[0.11, 0.0], [-0.11, 0.0]])]), _skin(scene, 0.86, 0.08), NOSE_LIFT)
    painter.face(_ellipse(tip, 0.15, 0.10), _skin(scene, 0.60, 0.25), NOSE_LIFT)


def _paint_mouth(painter: Painter, scene: Scene) -> None:
    parts = scene.parts
    left, right = mouth_corners(scene)
    x = (left[0] + right[0]) / 2 + parts.mouth_width * CURVE
    bow = 1.0 - CURVE**2  # 0 at the corners, 1 in the middle
    line = left[1] + parts.smile * bow

    def lips(above: float, below: float) -> Points:
        upper = np.stack([x, line - above * bow], axis=-1)
        lower = np.stack([x, line + below * bow], axis=-1)
        return np.concatenate([upper, lower[::-1]])

    painter.face(lips(0.075, 0.085 + parts.mouth_open), rgb(scene.colours.lips_hue, 0.85, scene.colours.lips_value))
    if parts.mouth_open > 0.04:
        painter.face(lips(0.0, parts.mouth_open), MOUTH_INSIDE)


def _paint_eyes(painter: Painter, scene: Scene) -> None:
    parts = scene.parts
    gaze = np.array([parts.gaze_x, parts.gaze_y * min(1.0, parts.eye_open / IRIS)])
    iris, pupil = min(IRIS, 0.95 * parts.eye_open), min(0.065, 0.9 * parts.eye_open)
    for centre in eye_centres(scene):
        painter.face(_ellipse(centre, EYE_WIDTH + 0.025, parts.eye_open + 0.025), BLACK)
        painter.face(_ellipse(centre, EYE_WIDTH, parts.eye_open), WHITE)
        painter.face(_ellipse(centre + gaze, IRIS, iris), rgb(scene.colours.iris_hue, 0.8, scene.colours.iris_value))
        painter.face(_ellipse(centre + gaze, 0.065, pupil), BLACK)


def _paint_brows(painter: Painter, scene: Scene) -> None:
    corners = np.array([[-0.20, -0.035], [0.20, -0.055], [0.20, 0.055], [-0.20, 0.035]])  # the outer end is at -0.20
    angle = radians(scene.parts.brow_tilt)
    turned = corners @ np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]]).T
    for centre, mirror in zip(brow_centres(scene), (1.0, -1.0), strict=True):
        painter.face(centre + turned * np.array([mirror, 1.0]), _hair(scene, 0.6))


def _paint_occluder(painter: Painter, occluder: Occluder) -> None:
    centre = np.array([occluder.x, occluder.y])
    if occluder.kind == "disc":
        outline = _ellipse(centre, occluder.radius, occluder.radius)
    else:
        corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * np.array(bar_extent(occluder))
        outline = centre + corners @ bar_axes(occluder)
    painter.head(outline, rgb(*occluder.colour), solid=0)
