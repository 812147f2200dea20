"""Annotation files in common formats, which are recognised by their content.

wide CSV         image, NAME_x, NAME_y, ...: a line per image (see `benchmarks.datasets.annotation_table`)
long CSV         image, keypoint, x_px, y_px[, visible, split]: a line per point, as in the tables that kpdetect writes
DeepLabCut CSV   header lines scorer, bodyparts, coords, then a line per image, whose name fills the first one or three columns
COCO keypoints   JSON with images, annotations (keypoints: x, y, v) and categories (keypoints: names); see
                 `benchmarks.datasets.coco`
Label Studio     the export "JSON" of Label Studio, a list of tasks; see `benchmarks.datasets.label_studio`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.datasets.annotation_table import TRUTHS, AnnotationTable, read_rows, read_wide
from benchmarks.datasets.coco import read_coco
from benchmarks.datasets.label_studio import read_label_studio
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import read_json
from kpdetect.files.reading import reading

LONG = ("image", "keypoint", "x_px", "y_px")
CHECKED = ("by", "model")
"""Further columns of corrections.csv; `model` is the hash of the weights to which the keypoint's number belongs."""


def read_annotations(path: Path) -> AnnotationTable:
    """Read an annotation file in any of the formats above.

    Raises:
        InputError: the file does not exist.
        FormatError: the file has none of these formats, or is damaged; the message names the line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the file of the annotations as table:FILE")
    with reading(path, FormatError, "correct the table"):
        return _read_any(path)


def _read_any(path: Path) -> AnnotationTable:
    if path.suffix.lower() == ".json":
        content = read_json(path)
        is_tasks = isinstance(content, list) and bool(content) and isinstance(content[0], dict)
        return read_label_studio(path, content) if is_tasks else read_coco(path, content)
    number, header = next(read_rows(path), (1, [""]))
    if header[0] == "scorer":
        return _read_deeplabcut(path)
    if set(LONG) <= set(header):
        return read_long(path)
    if "image" in header:
        return read_wide(path)
    expected = (
        "image, NAME_x, NAME_y, ...; image, keypoint, x_px, y_px; DeepLabCut's three lines; or COCO or Label Studio as .json"
    )
    raise FormatError(f"{path}, line {number}: columns {', '.join(header[:4])}; expected {expected}")


def read_long(path: Path, *, keep_hidden: bool = False) -> AnnotationTable:
    """Read a table with a line per point.

    Args:
        path: the file.
        keep_hidden: whether to keep the coordinates of points that are not visible.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is damaged, lines of one image have different splits, or the lines of corrections.csv belong to
            different weights; the message names the line.
    """
    rows = read_rows(path)
    number, header = next(rows, (1, []))
    missing = [name for name in LONG if name not in header]
    if missing:
        raise FormatError(f"{path}, line {number}: no column {', '.join(missing)}; expected {', '.join(LONG)}, visible")
    place = {name: header.index(name) for name in header}
    points: dict[tuple[str, str], tuple[float, float]] = {}
    first: dict[str, int] = {}
    names: dict[str, None] = {}
    splits: dict[str, str] = {}
    models: dict[str, int] = {}
    for number, row in rows:
        where = f"{path}, line {number}"
        if len(row) != len(header):
            raise FormatError(f"{where}: {len(row)} values for {len(header)} columns; complete the line")
        image, name = row[place["image"]], row[place["keypoint"]]
        if (image, name) in points:
            raise FormatError(f"{where}: a second point {name} of {image}; remove one of them")
        if set(CHECKED) <= set(header) and row[place["model"]]:
            models.setdefault(row[place["model"]], number)
            _require_one_model(path, models)
        first.setdefault(image, number)
        names.setdefault(name)
        shown = _visible(row[place["visible"]], where) if "visible" in place else True
        kept = shown or keep_hidden
        points[image, name] = _point(row[place["x_px"]], row[place["y_px"]], where) if kept else (np.nan, np.nan)
        if "split" in place and splits.setdefault(image, row[place["split"]]) != row[place["split"]]:
            fault = f"split '{row[place['split']]}', but '{splits[image]}' on line {first[image]}"
            raise FormatError(f"{where}: {image} has {fault}; give all lines of an image the same split")
    places = [f"{path}, from line {line} on ({image})" for image, line in first.items()]
    table = _table(path, list(first), list(names), points, list(first.values()), places)
    return replace(table, extra={"split": list(splits.values())}) if "split" in place else table


def _require_one_model(path: Path, models: Mapping[str, int]) -> None:
    """Check that all lines belong to the same weights: the number of a keypoint means another place for other weights."""
    if len(models) > 1:
        (one, first), (other, number) = models.items()
        fault = f"a keypoint of the weights {other}, but line {first} is of {one}, and their numbers may mean different places"
        advice = "confirm the old ones on the page Review of `kpdetect studio`, or remove the lines of one of the two"
        raise FormatError(f"{path}, line {number}: {fault}; {advice}")


def _read_deeplabcut(path: Path) -> AnnotationTable:
    rows = list(read_rows(path))
    if len(rows) < 3 or rows[1][1][0] != "bodyparts":
        raise FormatError(f"{path}, line 2: expected DeepLabCut's lines scorer, bodyparts, coords")
    head = {cells[0]: cells for _, cells in rows[:4] if cells[0] in ("scorer", "individuals", "bodyparts", "coords")}
    if "individuals" in head:
        raise FormatError(f"{path}: the table has several animals; export one animal per file")
    if "coords" not in head:
        raise FormatError(f"{path}, line 3: expected DeepLabCut's line coords")
    columns = [place for place, axis in enumerate(head["coords"]) if axis == "x"]
    begin = columns[0] if columns else 1
    points: dict[tuple[str, str], tuple[float, float]] = {}
    images, lines = [], []
    for number, cells in rows[3:]:
        if len(cells) != len(head["coords"]):
            raise FormatError(
                f"{path}, line {number}: {len(cells)} values for {len(head['coords'])} columns; complete the line"
            )
        image = "/".join(part for part in cells[:begin] if part).replace("\\", "/")
        images.append(image)
        lines.append(number)
        for place in columns:
            points[image, head["bodyparts"][place]] = _point(cells[place], cells[place + 1], f"{path}, line {number}")
    return _table(path, images, list(dict.fromkeys(head["bodyparts"][place] for place in columns)), points, lines)


def _table(
    path: Path,
    images: Sequence[str],
    names: Sequence[str],
    points: dict[tuple[str, str], tuple[float, float]],
    lines: Sequence[int],
    places: list[str] | None = None,
) -> AnnotationTable:
    hidden = (np.nan, np.nan)
    rows = [[points.get((image, name), hidden) for name in names] for image in images]
    table = np.array(rows, np.float64).reshape(len(images), len(names), 2)
    return AnnotationTable(
        path=path, images=list(images), landmarks=tuple(names), points_px=table, lines=list(lines), places=places
    )


def _point(x: str, y: str, where: str) -> tuple[float, float]:
    if not x and not y:
        return np.nan, np.nan
    try:
        point = float(x), float(y)
    except ValueError as error:
        raise FormatError(f"{where}: '{x}', '{y}'; expected two numbers, or nothing for a hidden point") from error
    if not np.isfinite(point).all():
        raise FormatError(f"{where}: '{x}', '{y}'; expected finite numbers, or nothing for a hidden point")
    return point


def _visible(text: str, where: str) -> bool:
    if text.lower() not in TRUTHS:
        raise FormatError(f"{where}: visible is '{text}'; expected 1 or 0")
    return TRUTHS[text.lower()]
