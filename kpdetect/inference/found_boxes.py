"""Boxes about the keypoints that were found in images: to cut the object, or a part of it, out of pictures in which it lies
anywhere, for a generator or a detector that sees it larger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpdetect.checkpoints import find_weights, read_detector_description
from kpdetect.errors import InputError
from kpdetect.files import replacing
from kpdetect.inference.boxes import COLUMNS, require_overlap
from kpdetect.inference.prediction_record import read_prediction_record
from kpdetect.inference.predictions import RECORD, VIDEOS, Predictions
from kpdetect.inference.predictor import Box
from kpdetect.inference.second_look import LAYOUT, MIN_SPREAD, Layout, spread
from kpdetect.names import to_cell

LEAST = 2.0
"""Pixels that the box of keypoints that coincide is wide."""
FRAMES = "boxes are of images: extract frames, as by `ffmpeg -i VIDEO FRAMES/%06d.png`, and `kpdetect predict` those"
"""What to do with a video."""


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
        InputError: a folder of a video, an unknown keypoint, no image sure enough, a box far larger than its image, or a
            detector of another K, or that does not know how its keypoints lay.
        FormatError: damaged predictions.
        CheckpointError: no detector at `like`.
    """
    if (found / VIDEOS).is_dir() and not (found / RECORD).exists():
        raise InputError(f"{found}: holds predictions of videos alone; {FRAMES}")
    predictions = Predictions.read(found)
    if predictions.frames is not None:
        raise InputError(f"{found}: holds predictions of a video; {FRAMES}")
    if not predictions.images:
        raise InputError(f"{found}: holds predictions of no image; predict a folder of images")
    if margin is not None and not np.isfinite(margin):
        raise InputError(f"--margin {margin}: expected a number such as 0.3")
    numbers = predictions.points.numbers
    if unknown := [number for number in keypoints if number not in numbers]:
        raise InputError(f"{found}: has no keypoint {unknown[0]}; it has {', '.join(map(str, numbers))}")
    columns = np.array([numbers.index(number) for number in (keypoints or numbers)])
    layout = None if like is None else _layout(like, found, predictions).of(np.array(numbers)[columns])
    if layout is not None and layout.spread < MIN_SPREAD:
        raise InputError(f"--like {like}: keypoints so close to each other tell no size; take more of them, or --margin")
    points, sure = predictions.keypoints_px[:, columns].astype(np.float64), predictions.confidence[:, columns].mean(axis=1)
    boxes = {}
    for row in np.flatnonzero(sure >= min_confidence):
        inside = np.clip(points[row], -0.5, predictions.sizes[row][::-1] - 0.5)
        boxes[predictions.images[row]] = _around(inside, margin or 0.0) if layout is None else _framed(inside, layout)
        require_overlap(boxes, predictions.images[row], (int(predictions.sizes[row][0]), int(predictions.sizes[row][1])))
    if not boxes:
        raise InputError(f"{found}: no image reaches --min-confidence {min_confidence}; the surest has {sure.max():.2f}")
    return boxes, len(predictions.images)


def _around(keypoints_px: NDArray[np.float64], margin: float) -> Box:
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    side = max(float((high - low).max()), LEAST) * (1 + 2 * margin)
    left, top = (low + high) / 2 + 0.5 - side / 2  # from pixel centres to pixel edges
    return float(left), float(top), side, side


def _framed(keypoints_px: NDArray[np.float64], layout: Layout) -> Box:
    """Their distance from their middle, and the place of that, are those of training images."""
    side = max(2 * spread(keypoints_px) / layout.spread, LEAST)  # normalised units are half a side
    left, top = keypoints_px.mean(axis=0) + 0.5 - side * (1 + layout.places.mean(axis=0)) / 2
    return float(left), float(top), side, side


def write_boxes(boxes: dict[str, Box], path: Path) -> None:
    """Write a table that `kpdetect crop --boxes` and `kpdetect predict --crop-boxes` read.

    Raises:
        OutputError: the file cannot be written.
    """
    table = pd.DataFrame([(to_cell(name), *box) for name, box in boxes.items()], columns=COLUMNS).round(2)
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8")


def _layout(like: Path, found: Path, predictions: Predictions) -> Layout:
    weights = find_weights(like, "detector")
    layout = Layout.read(read_detector_description(weights).content)
    if layout is None:
        raise InputError(f"{weights}: has no {LAYOUT}; `kpdetect calibrate` packs a copy that has, or give --margin")
    told = read_prediction_record(found).description.get("keypoints", max(predictions.points.numbers) + 1)
    if told != len(layout.places):
        raise InputError(f"{weights}: has {len(layout.places)} keypoints, {found} {told}; give a detector of the same ones")
    return layout
