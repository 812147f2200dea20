"""Files of annotations that people have, told apart by their content.

wide CSV         image, NAME_x, NAME_y, ... (see `benchmarks.datasets.wide`)
long CSV         image, keypoint, x_px, y_px[, visible, split]: a line per point, what kpdetect's own tables look like
DeepLabCut CSV   lines scorer, bodyparts, coords above a line per image; its name in the first column, or in the first three
COCO keypoints   JSON with images, annotations (keypoints: x, y, v) and categories (keypoints: names); an object per image
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets.wide import TRUTHS, AnnotationTable, read_rows, read_wide
from kpdetect.errors import FormatError, InputError

LONG = ("image", "keypoint", "x_px", "y_px")


def read_annotations(path: Path) -> AnnotationTable:
    """Read any of the files above.

    Raises:
        InputError: no such file.
        FormatError: none of them, or damaged; the message names the line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the file of the annotations as table:FILE")
    if path.suffix.lower() == ".json":
        return _read_coco(path)
    number, header = next(read_rows(path), (1, [""]))
    if header[0] == "scorer":
        return _read_deeplabcut(path)
    if set(LONG) <= set(header):
        return read_long(path)
    if "image" in header:
        return read_wide(path)
    expected = "image, NAME_x, NAME_y, ...; image, keypoint, x_px, y_px; DeepLabCut's three lines; or COCO as .json"
    raise FormatError(f"{path}, line {number}: columns {', '.join(header[:4])}; expected {expected}")


def read_long(path: Path, *, keep_hidden: bool = False) -> AnnotationTable:
    """Read a table with a line per point.

    Args:
        path: the file.
        keep_hidden: keep the places of points that are not visible.

    Raises:
        InputError: no such file.
        FormatError: damaged, or the lines of an image disagree about its split; the message names the line.
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
    for number, row in rows:
        where = f"{path}, line {number}"
        if len(row) != len(header):
            raise FormatError(f"{where}: {len(row)} values for {len(header)} columns; complete the line")
        image, name = row[place["image"]], row[place["keypoint"]]
        if (image, name) in points:
            raise FormatError(f"{where}: a second {name} of {image}; remove one")
        first.setdefault(image, number)
        names.setdefault(name)
        shown = _visible(row[place["visible"]], where) if "visible" in place else True
        kept = shown or keep_hidden
        points[image, name] = _point(row[place["x_px"]], row[place["y_px"]], where) if kept else (np.nan, np.nan)
        if "split" in place and splits.setdefault(image, row[place["split"]]) != row[place["split"]]:
            fault = f"split '{row[place['split']]}', but '{splits[image]}' on line {first[image]}"
            raise FormatError(f"{where}: {image} has {fault}; give all its lines the same")
    places = [f"{path}, from line {line} on ({image})" for image, line in first.items()]
    table = _table(path, list(first), list(names), points, list(first.values()), places)
    return replace(table, extra={"split": list(splits.values())}) if "split" in place else table


def _read_deeplabcut(path: Path) -> AnnotationTable:
    rows = list(read_rows(path))
    if len(rows) < 3 or rows[1][1][0] != "bodyparts":
        raise FormatError(f"{path}, line 2: expected DeepLabCut's lines scorer, bodyparts, coords")
    head = {cells[0]: cells for _, cells in rows[:4] if cells[0] in ("scorer", "individuals", "bodyparts", "coords")}
    if "individuals" in head:
        raise FormatError(f"{path}: several animals; export one animal per file")
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


def _read_coco(path: Path) -> AnnotationTable:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not JSON ({error}); expected COCO keypoints") from error
    names = _coco_names(_coco_part(content, "categories", path), path)
    files = _coco_files(_coco_part(content, "images", path), path)
    points: dict[tuple[str, str], tuple[float, float]] = {}
    places: dict[str, str] = {}
    for number, each in enumerate(_coco_part(content, "annotations", path)):
        where = f"{path}, annotation {number} (id {each.get('id')})"
        values, image_id = _coco_values(each.get("keypoints"), len(names), where), each.get("image_id")
        if not isinstance(image_id, int | str) or image_id not in files:
            raise FormatError(f"{where}: image_id {json.dumps(image_id)}; expected the id of one of the images")
        image = files[image_id]
        if image in places:
            raise FormatError(f"{where}: a second object in {image}; keep one object per image")
        places[image] = where
        for name, x, y, shown in zip(names, values[0::3], values[1::3], values[2::3], strict=True):
            points[image, name] = _coco_point(x, y, shown, f"{where}, {name}")
    return _table(path, list(places), names, points, [0] * len(places), list(places.values()))


def _coco_part(content: Any, part: str, path: Path) -> list[dict[str, Any]]:
    found = content.get(part) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise FormatError(f"{path}: no list of objects '{part}'; expected COCO keypoints: images, annotations, categories")
    return found


def _coco_names(categories: list[dict[str, Any]], path: Path) -> list[str]:
    """The keypoints of the categories that have any; boxes alone may have categories of their own."""
    found = [category["keypoints"] for category in categories if category.get("keypoints")]
    if not found:
        raise FormatError(f"{path}: no category has keypoints; expected the list of their names in categories")
    for names in found:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FormatError(f"{path}: keypoints of a category are {json.dumps(names)[:40]}; expected a list of names")
    if any(names != found[0] for names in found):
        raise FormatError(f"{path}: {len(found)} categories with keypoints of different names; expected one kind of object")
    return list(found[0])


def _coco_files(images: list[dict[str, Any]], path: Path) -> dict[int | str, str]:
    for number, image in enumerate(images):
        if not isinstance(image.get("id"), int | str) or not isinstance(image.get("file_name"), str):
            raise FormatError(f"{path}, image {number}: id or file_name is missing, or of a wrong type; give each image both")
    return {image["id"]: image["file_name"] for image in images}


def _coco_values(values: Any, keypoints: int, where: str) -> list[Any]:
    if not isinstance(values, list):
        raise FormatError(f"{where}: no list keypoints; expected x, y, visibility for each of {keypoints} keypoints")
    if len(values) != 3 * keypoints:
        raise FormatError(f"{where}: {len(values)} numbers; expected 3 for each of {keypoints} keypoints")
    return values


def _coco_point(x: Any, y: Any, shown: Any, where: str) -> tuple[float, float]:
    if shown not in (0, 1, 2):
        raise FormatError(f"{where}: visibility {json.dumps(shown)}; expected 0 (hidden), 1 or 2")
    if not shown:
        return np.nan, np.nan
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (x, y)):
        raise FormatError(f"{where}: {json.dumps(x)}, {json.dumps(y)}; expected finite numbers, or visibility 0")
    return float(x), float(y)


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
        raise FormatError(f"{where}: visible '{text}'; expected 1 or 0")
    return TRUTHS[text.lower()]
