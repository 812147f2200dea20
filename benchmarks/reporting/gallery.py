"""Input images with their keypoints, for the report: each keypoint is a mark that the page can show alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.reporting.charts import data_uri
from kpdetect.draw import edge_colour, keypoint_colour
from kpdetect.images.arrays import Image, scaled_down
from kpdetect.label_places import FEW, first_places, label_places
from kpdetect.skeleton import Skeleton, default_name

LEAST, LEAST_CROWDED = 200, 300
"""Smallest width of an image on the page in CSS pixels, with up to `FEW` keypoints and with more."""
RADIUS, FONT = 3.6, 10.0
"""Radius of a mark and height of its number, in CSS pixels on a page of that width."""
DIGIT = 0.62
"""Width of a digit as a share of the font's height."""
ASCENT = 0.87
"""Height of the box of a number above its base line, as a share of the font's height."""
SHARPNESS = 1.5
"""Largest number of image pixels for each CSS pixel. Larger images are scaled down."""
QUALITY = 90
"""Quality of the JPEG files in the page."""


def gallery(images: Sequence[tuple[Image, NDArray[np.floating]]], points: Skeleton) -> dict[str, Any]:
    """Build the section of images with keypoints.

    Args:
        images: pairs of an image, uint8 RGB [height, width, 3], and its keypoints [K, 2] in pixels of the image.
        points: the skeleton of the K keypoints.

    Returns:
        Values for the template: the text, the legend (`chips`), the smallest width of a picture, and the pictures.
    """
    crowded = len(points.numbers) > FEW
    least = LEAST_CROWDED if crowded else LEAST
    photos = [_photo(image, keypoints_px, points, least) for image, keypoints_px in images]
    chips = [
        {"number": number, "label": _label(number, name), "colour": _hexadecimal(keypoint_colour(number))}
        for number, name in zip(points.numbers, points.names, strict=True)
    ]
    return {"text": _text(points, photos), "chips": chips, "least": least, "photos": photos}


def _text(points: Skeleton, photos: Sequence[dict[str, Any]]) -> str:
    text = (
        "These images are spread evenly over the input folder. Each number (and colour) is one keypoint. It should lie on the "
        "same part of the object in every image. To see one keypoint alone, point at its mark or at its number in the list; a "
        "click on the list keeps it."
    )
    if any(mark["spare"] for photo in photos for mark in photo["marks"]):
        text += " Numbers that have no free room in an image appear only then."
    if points.numbers != tuple(range(len(points.numbers))):
        text += " The numbers have gaps: the detector also learned the missing keypoints, and they are left out of all results."
    return text


def _photo(image: Image, keypoints_px: NDArray[np.floating], points: Skeleton, least: int) -> dict[str, Any]:
    scale = min(1.0, SHARPNESS * least / image.shape[1])
    if scale < 1:
        image = scaled_down(image, scale)
    height, width = image.shape[:2]
    unit = width / least  # one CSS pixel, in pixels of the picture
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    return {
        "source": data_uri(encoded, "jpeg"),
        "width": width,
        "height": height,
        "radius": round(RADIUS * unit, 2),
        "font": round(FONT * unit, 2),
        "stroke": round(unit, 2),
        "marks": _marks((np.asarray(keypoints_px, np.float64) + 0.5) * scale, points, unit, (width, height)),
    }


def _marks(
    places: NDArray[np.float64], points: Skeleton, unit: float, frame: tuple[float, float]
) -> list[dict[str, str | int | float]]:
    """List the marks of the keypoints with places [K, 2] in the picture, and the places of their numbers."""
    sizes = np.array([(DIGIT * len(str(number)), 1.0) for number in points.numbers]).reshape(-1, 2) * FONT * unit
    reach = (RADIUS + 1) * unit
    free = label_places(places, sizes, reach, frame)
    spare = np.isnan(free)
    corners = np.where(spare, first_places(places, sizes, reach), free)
    feet = corners[:, 1] + ASCENT * sizes[:, 1]
    return [
        {
            "number": number,
            "label": _label(number, points.names[index]),
            "x": round(float(places[index, 0]), 1),
            "y": round(float(places[index, 1]), 1),
            "left": round(float(corners[index, 0]), 1),
            "foot": round(float(feet[index]), 1),
            "colour": _hexadecimal(keypoint_colour(number)),
            "edge": _hexadecimal(edge_colour(keypoint_colour(number))),
            "spare": bool(spare[index, 0]) and len(points.numbers) > FEW,
        }
        for index, number in enumerate(points.numbers)
        if np.isfinite(places[index]).all()
    ]


def _label(number: int, name: str) -> str:
    return str(number) if name == default_name(number) else f"{number} {name}"


def _hexadecimal(colour: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
