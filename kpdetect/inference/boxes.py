"""Boxes to predict in, from a CSV file: image,left,top,width,height."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from kpdetect.data.name_lists import NameIndex
from kpdetect.errors import FormatError, InputError
from kpdetect.inference.predictor import Box
from kpdetect.names import from_cell
from kpdetect.reading import reading, reason
from kpdetect.tables import read_table

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
