"""Boxes to predict in, or to crop to. They are read from a CSV file, or computed from predicted keypoints.

The CSV file has the columns image,left,top,width,height. A box around predicted keypoints shows the object, wherever it lies in
the image. A generator or detector that is trained on crops to such boxes sees the object larger.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpdetect.data.name_lists import NameIndex
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.names import from_cell, to_cell
from kpdetect.files.reading import reading, reason
from kpdetect.files.tables import read_table
from kpdetect.inference.prediction_record import read_prediction_head
from kpdetect.inference.predictions import RECORD, VIDEOS, Predictions
from kpdetect.inference.predictor import Box
from kpdetect.inference.second_pass import LAYOUT, MIN_SPREAD, Layout, spread
from kpdetect.training.checkpoints import find_weights, read_detector_description

COLUMNS = ["image", "left", "top", "width", "height"]
LARGEST = 4
"""Largest side of a box, as a multiple of the image's side. Beyond the image, its edge pixels are repeated."""


def read_boxes(path: Path, known: Collection[str]) -> dict[str, Box]:
    """Read a CSV file of boxes. Return the box (left, top, width, height) of each image or video, by its name.

    Args:
        path: CSV file with the columns `COLUMNS`, in pixels measured at pixel edges.
        known: names of the images and videos that may occur in the file.

    Raises:
        InputError: the file is missing, or a name in it is not an input.
        FormatError: the file is not such a table, a box is empty or not numeric, or an image has two boxes.
    """
    import pandas as pd

    try:
        table = read_table(path, dtype={"image": str}, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; expected a CSV file of boxes with the columns {', '.join(COLUMNS)}") from error
    except Exception as error:  # pandas raises many types for a file that is not a table
        raise FormatError(f"{path}: not a table ({reason(error)}); expected a CSV file with {', '.join(COLUMNS)}") from error
    if missing := [column for column in COLUMNS if column not in table]:
        raise FormatError(f"{path}: there is no column {', '.join(missing)}; expected {', '.join(COLUMNS)}")
    with reading(path):
        table["image"] = table["image"].astype(str).map(from_cell)
        values = table[COLUMNS[1:]].astype(str).apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    for row, name in enumerate(table["image"]):
        if not np.isfinite(values[row]).all() or (values[row, 2:] <= 0).any():
            raise FormatError(f"{path}: {name}: not a box; expected four numbers, width and height above 0")
    index = NameIndex(known)
    fits = [index(str(name), loosely=False, words=False, paths_first=True) for name in table["image"]]
    if strange := [fit.line for fit in fits if not fit.names]:
        raise InputError(
            f"{path}: {len(strange)} names are not inputs, the first one is {strange[0]}; write names as in predictions.csv"
        )
    boxes: dict[str, Box] = {}
    for fit, (left, top, width, height) in zip(fits, values, strict=True):
        if len(fit.names) > 1:
            raise FormatError(f"{path}: {fit.line} can mean {fit.names[0]} or {fit.names[1]}; write the whole path")
        if fit.names[0] in boxes:
            raise FormatError(f"{path}: {fit.line} has two boxes; expected one box per image")
        boxes[fit.names[0]] = (left, top, width, height)
    return boxes


def parse_box(text: str, parameter: str) -> Box:
    """Parse a box from the text `left,top,width,height`.

    Raises:
        InputError: the text is not a box, or the box is empty.
    """
    try:
        left, top, width, height = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"`{parameter}={text}`: expected left,top,width,height in pixels, such as 12,32,64,64") from error
    if not np.isfinite([left, top, width, height]).all() or width <= 0 or height <= 0:
        raise InputError(f"`{parameter}={text}`: not a box; expected four numbers, width and height above 0")
    return left, top, width, height


def require_overlap(boxes: Mapping[str, Box], name: str, size: tuple[int, int]) -> Box | None:
    """Return the box of the image `name`, or None if `boxes` has no box for it.

    Raises:
        InputError: the box lies outside the image of `size` (height, width), or is much larger than the image.
    """
    box = boxes.get(name)
    if box is not None:
        left, top, width, height = box
        if left + width <= 0 or top + height <= 0 or left >= size[1] or top >= size[0]:
            raise InputError(
                f"{name}: its box lies outside the image of {size[1]} x {size[0]} pixels; correct or remove the box"
            )
        if max(width, height) > LARGEST * max(size):
            raise InputError(f"{name}: its box is over {LARGEST} times as large as the image; correct or remove the box")
    return box


LEAST = 2.0
"""Smallest width of a box, in pixels. It is the width of the box around keypoints that coincide."""
FRAMES = "expected predictions of images; extract frames with `ffmpeg -i VIDEO FRAMES/%06d.png`, then predict the folder FRAMES"
"""Advice for predictions of a video."""


def found_boxes(
    folder: Path,
    *,
    keypoints: Sequence[int] = (),
    margin: float | None = None,
    like: Path | None = None,
    min_confidence: float = 0.0,
) -> tuple[dict[str, Box], int]:
    """Compute a square around the keypoints of every image in a predictions folder.

    Args:
        folder: folder that `kpdetect predict` wrote, with predictions of images.
        keypoints: numbers of the keypoints to enclose; all by default.
        margin: border as a share of the longer side of the keypoints' bounding box, at least 0. Give either `margin` or `like`.
        like: a detector of the same keypoints. The size of the square is chosen so that the keypoints fill it as they fill the
            images that this detector was trained on.
        min_confidence: images whose mean confidence over these keypoints is lower are left out.

    Returns:
        Box (left, top, width, height; pixel edges) by name of the image, and the number of images in the folder.

    Raises:
        InputError: the folder holds predictions of a video, a keypoint is unknown, no image is confident enough, or a box is
            much larger than its image. Or the detector `like` has another number of keypoints, or its weights file does not
            record their layout.
        FormatError: the predictions are damaged.
        CheckpointError: there is no detector at `like`.
    """
    if (folder / VIDEOS).is_dir() and not (folder / RECORD).exists():
        raise InputError(f"{folder}: got predictions of videos only; {FRAMES}")
    predictions = Predictions.read(folder)
    if predictions.frames is not None:
        raise InputError(f"{folder}: got predictions of a video; {FRAMES}")
    if not predictions.images:
        raise InputError(f"{folder}: there are predictions of no image; predict a folder of images first")
    if margin is not None and not np.isfinite(margin):
        raise InputError(f"`margin={margin}`: expected a number such as 0.3")
    numbers = predictions.points.numbers
    if unknown := [number for number in keypoints if number not in numbers]:
        raise InputError(f"{folder}: there is no keypoint {unknown[0]}; expected some of {', '.join(map(str, numbers))}")
    columns = np.array([numbers.index(number) for number in (keypoints or numbers)])
    layout = None if like is None else _layout(like, folder, predictions).of(np.array(numbers)[columns])
    if layout is not None and layout.spread < MIN_SPREAD:
        raise InputError(
            f"`like={like}`: these keypoints are too close together to tell the size of the object; "
            "give more keypoints, or give `margin`"
        )
    points, sure = predictions.keypoints_px[:, columns].astype(np.float64), predictions.confidence[:, columns].mean(axis=1)
    boxes = {}
    for row in np.flatnonzero(sure >= min_confidence):
        inside = np.clip(points[row], -0.5, predictions.sizes[row][::-1] - 0.5)
        boxes[predictions.images[row]] = _around(inside, margin or 0.0) if layout is None else _framed(inside, layout)
        require_overlap(boxes, predictions.images[row], (int(predictions.sizes[row][0]), int(predictions.sizes[row][1])))
    if not boxes:
        raise InputError(
            f"{folder}: no image reaches `min_confidence={min_confidence}`; the highest mean confidence is {sure.max():.2f}"
        )
    return boxes, len(predictions.images)


def _around(keypoints_px: NDArray[np.float64], margin: float) -> Box:
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    side = max(float((high - low).max()), LEAST) * (1 + 2 * margin)
    left, top = (low + high) / 2 + 0.5 - side / 2  # from pixel centres to pixel edges
    return float(left), float(top), side, side


def _framed(keypoints_px: NDArray[np.float64], layout: Layout) -> Box:
    """Return a square in which the keypoints have the mean and the spread that they have in the detector's training images."""
    side = max(2 * spread(keypoints_px) / layout.spread, LEAST)  # normalised units are half a side
    left, top = keypoints_px.mean(axis=0) + 0.5 - side * (1 + layout.places.mean(axis=0)) / 2
    return float(left), float(top), side, side


def write_boxes(boxes: dict[str, Box], path: Path) -> None:
    """Write boxes as a table for `kpdetect crop --boxes` and `kpdetect predict --crop-boxes`.

    Raises:
        OutputError: the file cannot be written.
    """
    import pandas as pd

    table = pd.DataFrame([(to_cell(name), *box) for name, box in boxes.items()], columns=COLUMNS).round(2)
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8")


def _layout(like: Path, folder: Path, predictions: Predictions) -> Layout:
    weights = find_weights(like, "detector")
    layout = Layout.read(read_detector_description(weights))
    if layout is None:
        raise InputError(f"{weights}: there is no {LAYOUT}; give a copy made by `kpdetect calibrate`, or give `margin`")
    count = read_prediction_head(folder).description.get("keypoints", max(predictions.points.numbers) + 1)
    if count != len(layout.places):
        raise InputError(
            f"{weights}: the detector has {len(layout.places)} keypoints, {folder} has {count}; "
            "give a detector of the same keypoints"
        )
    return layout
