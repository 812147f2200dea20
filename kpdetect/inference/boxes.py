"""Boxes to predict in, from a CSV file: image,left,top,width,height.

Boxes about the keypoints that were found in images: to cut the object, or a part of it, out of pictures in which it lies
anywhere, for a generator or a detector that sees it larger.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpdetect.data.name_lists import NameIndex
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.names import from_cell, to_cell
from kpdetect.files.reading import reading, reason
from kpdetect.files.tables import read_table
from kpdetect.inference.prediction_record import read_prediction_record
from kpdetect.inference.predictions import RECORD, VIDEOS, Predictions
from kpdetect.inference.predictor import Box
from kpdetect.inference.second_pass import LAYOUT, MIN_SPREAD, Layout, spread
from kpdetect.training.checkpoints import find_weights, read_detector_description

COLUMNS = ["image", "left", "top", "width", "height"]
LARGEST = 4
"""Boxes may be this many times larger than their image; what lies outside is filled with its edge."""


def read_boxes(path: Path, known: Collection[str]) -> dict[str, Box]:
    """Boxes by name of image or video.

    Args:
        path: CSV with the columns `COLUMNS`, in pixels measured at pixel edges.
        known: names of the inputs.

    Raises:
        InputError: the file is missing, or names something that is no input.
        FormatError: it is no such table, or holds a box that is empty or no numbers, or two boxes for one image.
    """
    try:
        table = read_table(path, dtype={"image": str}, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; boxes are a CSV with {', '.join(COLUMNS)}") from error
    except Exception as error:  # pandas raises many types on what is no table
        raise FormatError(f"{path}: not a table ({reason(error)}); expected a CSV with {', '.join(COLUMNS)}") from error
    if missing := [column for column in COLUMNS if column not in table]:
        raise FormatError(f"{path}: has no column {', '.join(missing)}; expected {', '.join(COLUMNS)}")
    with reading(path):
        table["image"] = table["image"].astype(str).map(from_cell)
        values = table[COLUMNS[1:]].astype(str).apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    for row, name in enumerate(table["image"]):
        if not np.isfinite(values[row]).all() or (values[row, 2:] <= 0).any():
            raise FormatError(f"{path}: {name}: not a box; expected four numbers, width and height above 0")
    index = NameIndex(known)
    fits = [index(str(name), loosely=False, words=False) for name in table["image"]]
    if strange := [fit.line for fit in fits if not fit.names]:
        raise InputError(
            f"{path}: names {len(strange)} that are no inputs, {strange[0]} first; names are as in predictions.csv"
        )
    boxes: dict[str, Box] = {}
    for fit, (left, top, width, height) in zip(fits, values, strict=True):
        if len(fit.names) > 1:
            raise FormatError(f"{path}: {fit.line} may be {fit.names[0]} or {fit.names[1]}; write its whole path")
        if fit.names[0] in boxes:
            raise FormatError(f"{path}: {fit.line}: has two boxes; expected one an image")
        boxes[fit.names[0]] = (left, top, width, height)
    return boxes


def parse_box(text: str, option: str) -> Box:
    """A box as typed, `left,top,width,height`.

    Raises:
        InputError: it is no such thing, or empty.
    """
    try:
        left, top, width, height = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} {text}: expected left,top,width,height in pixels, such as 12,32,64,64") from error
    if not np.isfinite([left, top, width, height]).all() or width <= 0 or height <= 0:
        raise InputError(f"{option} {text}: not a box; expected four numbers, width and height above 0")
    return left, top, width, height


def require_overlap(boxes: Mapping[str, Box], name: str, size: tuple[int, int]) -> Box | None:
    """The box of `name`, None if it has none.

    Raises:
        InputError: the box lies outside the image of `size` (height, width), or is far larger.
    """
    box = boxes.get(name)
    if box is not None:
        left, top, width, height = box
        if left + width <= 0 or top + height <= 0 or left >= size[1] or top >= size[0]:
            raise InputError(f"{name}: its box lies outside the image of {size[1]} x {size[0]} pixels; correct or remove it")
        if max(width, height) > LARGEST * max(size):
            raise InputError(f"{name}: its box is over {LARGEST} times as large as the image; correct or remove it")
    return box


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
