"""Boxes about the keypoints that were found in images: to cut the object, or a part of it, out of pictures in which it lies
anywhere, for a generator or a detector that sees it larger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kpdetect.checkpoints import find_weights, read_description
from kpdetect.errors import InputError
from kpdetect.files import replacing
from kpdetect.inference.boxes import COLUMNS
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictor import Box
from kpdetect.inference.second_look import LAYOUT, Layout, framed_box, keypoint_box


def found_boxes(
    found: Path,
    *,
    keypoints: Sequence[int] = (),
    margin: float | None = None,
    like: Path | None = None,
    min_confidence: float = 0.0,
) -> tuple[dict[str, Box], int]:
    """A square about the keypoints of every image of a predictions folder.

    Args:
        found: what `kpdetect predict` wrote about images.
        keypoints: numbers of those that count; all unless given.
        margin: border as a share of the longer side of their own box, at least 0; give this or `like`.
        like: a detector of the same keypoints: the square frames them as its training images did.
        min_confidence: images are left out in which the mean confidence of these keypoints is lower.

    Returns:
        Box (left, top, width, height; pixel edges) by name of image, and the number of images there are.

    Raises:
        InputError: a folder of a video, an unknown keypoint, no image sure enough, or a detector of other keypoints, or
            that does not know how they lay.
        FormatError: damaged predictions.
        CheckpointError: no detector at `like`.
    """
    predictions = Predictions.read(found)
    if predictions.frames is not None:
        raise InputError(
            f"{found}: of a video; boxes are of images, give the folder above videos/ or predict its frames as images"
        )
    numbers = predictions.points.numbers
    if unknown := [number for number in keypoints if number not in numbers]:
        raise InputError(f"{found}: has no keypoint {unknown[0]}; it has {', '.join(map(str, numbers))}")
    columns = np.array([numbers.index(number) for number in (keypoints or numbers)])
    layout = None if like is None else _layout(like, found, predictions).of(np.array(numbers)[columns])
    points, sure = predictions.keypoints_px[:, columns].astype(np.float64), predictions.confidence[:, columns].mean(axis=1)
    boxes = {}
    for row in np.flatnonzero(sure >= min_confidence):
        size = predictions.sizes[row]
        inside = np.clip(points[row], -0.5, size[::-1] - 0.5)
        whole = np.array([[0.0, 0.0], [size.max(), size.max()]])
        box = framed_box(whole, inside, layout) if layout is not None else keypoint_box(whole, inside, margin or 0.0)
        boxes[predictions.images[row]] = _square(box)
    if not boxes:
        raise InputError(f"{found}: no image reaches --min-confidence {min_confidence}; the surest has {sure.max():.2f}")
    return boxes, len(predictions.images)


def write_boxes(boxes: dict[str, Box], path: Path) -> None:
    """Write a table that `kpdetect crop --boxes` and `kpdetect predict --crop-boxes` read.

    Raises:
        OutputError: the file cannot be written.
    """
    table = pd.DataFrame([(name, *box) for name, box in boxes.items()], columns=COLUMNS).round(2)
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8")


def _layout(like: Path, found: Path, predictions: Predictions) -> Layout:
    weights = find_weights(like, "detector")
    layout = Layout.read(read_description(weights))
    if layout is None:
        raise InputError(f"{weights}: has no {LAYOUT}; `kpdetect calibrate` packs a copy that has, or give --margin")
    if max(predictions.points.numbers) >= len(layout.places):
        raise InputError(f"{weights}: has {len(layout.places)} keypoints; {found} has more: give a detector of the same ones")
    return layout


def _square(box: Box) -> Box:
    left, top, width, height = box
    side = max(width, height)
    return left + (width - side) / 2, top + (height - side) / 2, side, side
