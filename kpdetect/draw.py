"""Draw keypoints on images. Each keypoint has its own colour, confidence is shown as opacity, and small images are enlarged."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine, crop_resize_affine
from kpdetect.images.arrays import Image
from kpdetect.label_places import FEW, label_places
from kpdetect.skeleton import Skeleton, default_name

MIN_SIDE = 128
"""Images with a shorter side below this are enlarged by a whole factor before keypoints are drawn."""
NAMED_SIDE = 384
"""Images with a shorter side below this are enlarged if names or many numbers are written on them."""
MIN_OPACITY = 0.15
"""Opacity of a keypoint with confidence 0, so that it stays visible."""
NUMBER_OPACITY = 0.6
"""Opacity of the number of one of many keypoints with confidence 0. At less, thin numbers cannot be read."""
PALETTE = (
    (230, 25, 75), (60, 180, 75), (255, 225, 25), (67, 99, 216), (245, 130, 49), (66, 212, 244), (240, 50, 230),
    (250, 250, 250), (128, 0, 0), (170, 255, 195), (145, 30, 180), (128, 128, 0), (250, 190, 212), (0, 0, 117),
    (70, 153, 144), (154, 99, 36), (220, 190, 255), (191, 239, 69), (128, 128, 128), (255, 216, 177),
    (0, 0, 255), (0, 255, 0), (135, 30, 90), (0, 75, 15), (30, 60, 105), (255, 30, 0), (255, 60, 165), (0, 165, 255),
    (225, 135, 255), (240, 135, 120), (255, 255, 150), (0, 255, 120),
)  # fmt: skip
"""RGB of the first keypoints. The first twenty follow Trubetskoy's list of distinct colours, and the first ten of them differ
most. Each further colour is, in CIELAB, as far as possible from the earlier ones."""
DARK = 75
"""Colours of a lower luma, of 255, get a white edge instead of a black one."""
SHARP = 0.5
"""Smallest share to which images are scaled by linear interpolation, which takes a fifth of the time of a mean over areas. At
smaller shares, linear interpolation would skip pixels."""
FONT = cv2.FONT_HERSHEY_DUPLEX
"""Its strokes are thick enough for numbers of ten pixels."""
_GOLDEN = 0.61803398875
_Place = tuple[int, int]


def keypoint_colour(number: int) -> tuple[int, int, int]:
    """Return the RGB colour of the keypoint with this number. Beyond `PALETTE`, successive numbers get very different hues."""
    if number < len(PALETTE):
        return PALETTE[number]
    hue = (number * _GOLDEN) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.65 if number % 2 else 1.0, 1.0 if number % 3 else 0.7)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_keypoints(
    image: Image,
    keypoints_px: NDArray[np.floating],
    confidence: NDArray[np.floating] | None = None,
    *,
    numbers: bool = False,
    still: bool = True,
    skeleton: Skeleton | None = None,
    trails_px: Sequence[NDArray[np.floating]] = (),
    min_side: int = MIN_SIDE,
    max_side: int | None = None,
) -> Image:
    """Draw keypoints on a copy of an image.

    Args:
        image: uint8 RGB [height, width, 3].
        keypoints_px: [K, 2] in pixels of the image. Points outside the image, or NaN, are left out.
        confidence: [K] in [0, 1], drawn as opacity (at least `MIN_OPACITY`). None: keypoints are opaque.
        numbers: write the number of each keypoint next to it, or its name if `skeleton` has one. Of more than `FEW` keypoints,
            labels without free room are left out.
        still: whether each label stands where it covers nothing. In the frames of a video, labels would jump from place to
            place; without `still` each stands at the upper right of its keypoint.
        skeleton: the skeleton of the keypoints. Its links are drawn, and its keypoint numbers decide the colours.
        trails_px: keypoints [K, 2] of earlier frames, oldest first, drawn as fading lines.
        min_side: images with a shorter side below this are enlarged by a whole factor.
        max_side: images are not enlarged beyond this longer side, in pixels.

    Returns:
        uint8 [factor * height, factor * width, 3], factor = 1 for images of at least `min_side` pixels.
    """
    skeleton = skeleton or Skeleton.plain(len(keypoints_px))
    factor = -(-min_side // min(image.shape[:2]))
    if max_side is not None:
        factor = min(factor, max_side // max(image.shape[:2]))
    factor = max(1, factor)
    enlarged = image if factor == 1 else image.repeat(factor, axis=0).repeat(factor, axis=1)
    canvas = np.array(enlarged, order="C")
    radius = max(2, round(min(canvas.shape[:2]) / (64 if len(keypoints_px) <= FEW else 96)))
    opacity = np.ones(len(keypoints_px)) if confidence is None else np.clip(confidence, MIN_OPACITY, 1.0)
    history = [_places(points, image.shape[:2], factor) for points in [*trails_px, keypoints_px]]
    _draw_trails(canvas, history, skeleton, opacity, radius)
    places = history[-1]
    for one, other in skeleton.links:
        start, end = places[one], places[other]
        if start is not None and end is not None:
            thickness, seen = max(1, radius // 2), float(min(opacity[one], opacity[other]))
            _line(canvas, start, end, (0, 0, 0), thickness + 2, seen)  # a dark edge, which is visible on white objects
            _line(canvas, start, end, (255, 255, 255), thickness, seen)
    for index, place in enumerate(places):
        if place is not None:
            _circle(canvas, place, radius, keypoint_colour(skeleton.numbers[index]), float(opacity[index]))
    if numbers:
        _draw_labels(canvas, places, radius, skeleton, opacity, still=still)
    return canvas


def edge_colour(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the RGB colour of the edge of a mark: black, or white around a dark colour."""
    luma = float(np.dot(colour, (0.299, 0.587, 0.114)))
    return (255, 255, 255) if luma < DARK else (0, 0, 0)


def _label(skeleton: Skeleton, index: int) -> str:
    name, number = skeleton.names[index], skeleton.numbers[index]
    return name if name != default_name(number) and name.isascii() else str(number)  # OpenCV can only draw ASCII characters


def _places(keypoints_px: NDArray[np.floating], size: tuple[int, ...], factor: int) -> list[_Place | None]:
    """Compute the place of each keypoint on the enlarged image, in whole pixels; None for a keypoint outside the image."""
    height, width = size
    places: list[_Place | None] = []
    for x, y in np.asarray(keypoints_px, dtype=np.float64):
        inside = -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5  # the comparison is False for NaN
        places.append((round((x + 0.5) * factor - 0.5), round((y + 0.5) * factor - 0.5)) if inside else None)
    return places


def _draw_trails(
    canvas: Image, history: list[list[_Place | None]], skeleton: Skeleton, opacity: NDArray[np.floating], radius: int
) -> None:
    for age, (before, after) in enumerate(zip(history[:-1], history[1:], strict=True), start=1):
        for index, (start, end) in enumerate(zip(before, after, strict=True)):
            if start is not None and end is not None:
                fading = 0.8 * float(opacity[index]) * age / len(history)
                _line(canvas, start, end, keypoint_colour(skeleton.numbers[index]), max(1, radius // 2), fading)


def _line(canvas: Image, start: _Place, end: _Place, colour: tuple[int, int, int], thickness: int, opacity: float) -> None:
    def paint(layer: Image, left: int, top: int) -> None:
        first, last = ((x - left, y - top) for x, y in (start, end))
        cv2.line(layer, first, last, colour, thickness, cv2.LINE_AA)

    (left, right), (top, bottom) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    _stamp(canvas, (left - thickness - 1, top - thickness - 1, right + thickness + 2, bottom + thickness + 2), paint, opacity)


def _circle(canvas: Image, centre: _Place, radius: int, colour: tuple[int, int, int], opacity: float) -> None:
    def paint(layer: Image, left: int, top: int) -> None:
        place = (centre[0] - left, centre[1] - top)
        cv2.circle(layer, place, radius + 1, edge_colour(colour), -1, cv2.LINE_AA)
        cv2.circle(layer, place, radius, colour, -1, cv2.LINE_AA)

    reach = radius + 3
    _stamp(canvas, (centre[0] - reach, centre[1] - reach, centre[0] + reach + 1, centre[1] + reach + 1), paint, opacity)


def _draw_labels(
    canvas: Image, places: list[_Place | None], radius: int, skeleton: Skeleton, opacity: NDArray[np.floating], *, still: bool
) -> None:
    few = len(places) <= FEW
    scale = 0.13 * radius if few else max(0.45, 0.11 * radius)
    labels = [_label(skeleton, index) for index in range(len(places))]
    sizes = np.array([cv2.getTextSize(label, FONT, scale, 1)[0] for label in labels]).reshape(-1, 2)
    points = np.array([place or (np.nan, np.nan) for place in places]).reshape(-1, 2)
    height, width = canvas.shape[:2]
    corners = upper_right = points + (radius + 1, -radius) - sizes * (0, 1)
    if still:
        corners = label_places(points, sizes + 2, radius + 1, (width, height)) + 1
    if still and few:
        corners = np.where(np.isnan(corners), upper_right, corners)
    for index in np.flatnonzero(~np.isnan(corners).any(axis=1)):
        left, top = corners[index].round().astype(int)
        foot = (int(left), int(top + sizes[index, 1]))
        colour = keypoint_colour(skeleton.numbers[index]) if few else (255, 255, 255)
        _text(canvas, labels[index], foot, scale, colour, float(opacity[index] if few else max(opacity[index], NUMBER_OPACITY)))


def _text(canvas: Image, text: str, foot: _Place, scale: float, colour: tuple[int, int, int], opacity: float) -> None:
    """Write a text with an edge. Its first letter begins at `foot`, on the base line."""

    def paint(layer: Image, left: int, top: int) -> None:
        corner = (foot[0] - left, foot[1] - top)
        edge = [((corner[0] + x, corner[1] + y), edge_colour(colour)) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
        for place, shade in (*edge, (corner, colour)):  # a thicker text would be wider too, and no edge of the thin one
            cv2.putText(layer, text, place, FONT, scale, shade, 1, cv2.LINE_AA)

    (width, height), below = cv2.getTextSize(text, FONT, scale, 1)
    _stamp(canvas, (foot[0] - 3, foot[1] - height - 3, foot[0] + width + 3, foot[1] + below + 3), paint, opacity)


def _stamp(canvas: Image, box: tuple[int, int, int, int], paint: Callable[[Image, int, int], None], opacity: float) -> None:
    """Paint on a copy of the part `box` (left, top, right, bottom) of the canvas, and blend it into the canvas."""
    left, top = max(0, box[0]), max(0, box[1])
    part = canvas[top : max(0, box[3]), left : max(0, box[2])]
    if part.size:
        layer = part.copy()
        paint(layer, left, top)
        part[...] = cv2.addWeighted(layer, opacity, part, 1 - opacity, 0)


def contact_sheet(images: Sequence[Image], columns: int, gap: int = 2) -> Image:
    """Arrange images of any sizes in a grid on white. Every cell has the size of the largest image.

    Raises:
        ValueError: there are no images.
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


def draw_overlay(
    image: Image,
    keypoints_px: NDArray[np.floating],
    confidence: NDArray[np.floating],
    skeleton: Skeleton,
    *,
    max_side: int,
    trails_px: Sequence[NDArray[np.floating]] = (),
    still: bool = True,
) -> Image:
    """Draw keypoints, links, names and trails on an image. Scale a large image down to `max_side`, and enlarge a small one.

    More than `FEW` keypoints of a still image have their numbers, because colours alone do not tell so many apart.

    Args:
        image: uint8 RGB [height, width, 3].
        keypoints_px: [K, 2] in pixels of the image. NaN is not drawn.
        confidence: [K] in [0, 1], drawn as opacity.
        skeleton: skeleton of the K keypoints.
        max_side: largest longer side of the result, in pixels.
        trails_px: keypoints [K, 2] of earlier frames, oldest first, drawn as fading lines.
        still: whether the image is no frame of a video, see `draw_keypoints`.
    """
    height, width = image.shape[:2]
    share = max_side / max(height, width)
    points = [*trails_px, keypoints_px]
    labelled = skeleton.named or (still and len(keypoints_px) > FEW)
    if share < 1:
        size = (max(1, round(height * share)), max(1, round(width * share)))
        method = cv2.INTER_AREA if share < SHARP else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=method), dtype=np.uint8)
        matrix = crop_resize_affine((0, 0, width, height), size)
        points = [apply_affine(matrix, item) for item in points]
    return draw_keypoints(
        image,
        points[-1],
        confidence,
        numbers=labelled,
        still=still,
        skeleton=skeleton,
        trails_px=points[:-1],
        min_side=NAMED_SIDE if labelled else MIN_SIDE,
        max_side=max_side,
    )
