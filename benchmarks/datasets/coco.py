"""COCO keypoints: JSON with images, annotations and categories.

All objects with keypoints must have the same keypoint names, and an image may have one such object. Objects of categories
without keypoints (boxes, masks) are left out. The file is checked for consistency: ids are unique, `num_keypoints` is the
number of keypoints with a visibility above 0, and `width` and `height` are those of the picture as displayed (see
`AnnotationTable.require_sizes`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets.annotation_table import AnnotationTable
from kpdetect.errors import FormatError

Identity = int | str


def read_coco(path: Path, content: Any) -> AnnotationTable:
    """Read annotations from the parsed JSON of a file.

    Raises:
        FormatError: the content is not COCO keypoints, or contradicts itself; the message names the id.
    """
    categories = _part(content, "categories", path)
    names, kinds = _names(categories, path), _kinds(categories, path)
    files, sizes = _files(_part(content, "images", path), path)
    points: dict[str, list[tuple[float, float]]] = {}
    places: dict[str, str] = {}
    for number, annotation in enumerate(_part(content, "annotations", path)):
        where = f"{path}, annotation {number} (id {annotation.get('id')})"
        image_id = annotation.get("image_id")
        if not isinstance(image_id, int | str) or image_id not in files:
            raise FormatError(f"{where}: image_id {json.dumps(image_id)}; expected the id of one of the images")
        if not _has_keypoints(annotation, kinds, where):
            continue
        image = files[image_id]
        marked = _points(annotation, names, where)
        if image in places:
            raise FormatError(f"{where}: a second object in {image}; keep one object per image")
        places[image], points[image] = where, marked
    stated = {files[identity]: size for identity, size in sizes.items()}
    return AnnotationTable(
        path=path,
        images=list(places),
        landmarks=tuple(names),
        points_px=np.array([points[image] for image in places], np.float64).reshape(len(places), len(names), 2),
        lines=[],
        places=list(places.values()),
        sizes=np.array([stated.get(image, (0, 0)) for image in places], np.int64).reshape(-1, 2),
    )


def _part(content: Any, part: str, path: Path) -> list[dict[str, Any]]:
    objects = content.get(part) if isinstance(content, dict) else None
    if not isinstance(objects, list) or not all(isinstance(entry, dict) for entry in objects):
        raise FormatError(f"{path}: no list of objects '{part}'; expected COCO keypoints: images, annotations, categories")
    return objects


def _names(categories: list[dict[str, Any]], path: Path) -> list[str]:
    """Return the names of the keypoints, which all categories with keypoints must share."""
    lists = [category["keypoints"] for category in categories if category.get("keypoints")]
    if not lists:
        raise FormatError(f"{path}: no category has keypoints; expected a list of keypoint names in a category")
    for names in lists:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FormatError(f"{path}: keypoints of a category are {json.dumps(names)[:40]}; expected a list of names")
    if any(names != lists[0] for names in lists):
        raise FormatError(f"{path}: {len(lists)} categories with keypoints of different names; expected one kind of object")
    twice = next((name for name in lists[0] if lists[0].count(name) > 1), None)
    if twice is not None:
        raise FormatError(f"{path}: two keypoints of a category are called {twice}; rename one")
    return list(lists[0])


def _kinds(categories: list[dict[str, Any]], path: Path) -> dict[Identity, bool]:
    """Return whether each category has keypoints, by its id."""
    kinds: dict[Identity, bool] = {}
    for category in categories:
        identity = category.get("id")
        if isinstance(identity, int | str):
            if identity in kinds:
                raise FormatError(f"{path}: two categories have the id {json.dumps(identity)}; give each its own")
            kinds[identity] = bool(category.get("keypoints"))
    return kinds


def _files(images: list[dict[str, Any]], path: Path) -> tuple[dict[Identity, str], dict[Identity, tuple[int, int]]]:
    """Return the names of the images, and the (height, width) that the file states for some of them, by id."""
    files: dict[Identity, str] = {}
    sizes: dict[Identity, tuple[int, int]] = {}
    first: dict[str, Identity] = {}
    for number, image in enumerate(images):
        identity, name = image.get("id"), image.get("file_name")
        if not isinstance(identity, int | str) or not isinstance(name, str) or not name:
            raise FormatError(f"{path}, image {number}: id or file_name is missing, or of a wrong type; give each image both")
        where = f"{path}, image {number} (id {json.dumps(identity)})"
        if identity in files:
            raise FormatError(f"{where}: {name} has the id of {files[identity]}; give each image its own id")
        if name in first:
            raise FormatError(f"{where}: {name} is already the image with the id {json.dumps(first[name])}; remove one")
        files[identity], first[name] = name, identity
        height, width = image.get("height"), image.get("width")
        if (height, width) != (None, None):
            if not all(isinstance(side, int | float) and 0 < side < 2**31 and side == int(side) for side in (height, width)):
                raise FormatError(
                    f"{where}: width and height are {json.dumps(width)} and {json.dumps(height)}; expected pixels"
                )
            sizes[identity] = int(height), int(width)  # type: ignore[arg-type]
    return files, sizes


def _has_keypoints(annotation: Mapping[str, Any], kinds: Mapping[Identity, bool], where: str) -> bool:
    """Return whether an object belongs to a category with keypoints; an object without a category counts as one."""
    category = annotation.get("category_id")
    if category is None:
        return True
    if not isinstance(category, int | str) or category not in kinds:
        raise FormatError(f"{where}: category_id {json.dumps(category)}; expected the id of one of the categories")
    if not kinds[category] and annotation.get("keypoints"):
        raise FormatError(f"{where}: has keypoints, but category {json.dumps(category)} has none; correct one of them")
    return kinds[category]


def _points(annotation: Mapping[str, Any], names: list[str], where: str) -> list[tuple[float, float]]:
    """Return the points of an object in the order of `names`; NaN where hidden."""
    values = annotation.get("keypoints")
    if not isinstance(values, list):
        raise FormatError(f"{where}: no list keypoints; expected x, y, visibility for each of {len(names)} keypoints")
    if len(values) != 3 * len(names):
        raise FormatError(f"{where}: {len(values)} numbers; expected 3 for each of {len(names)} keypoints")
    points = [
        _point(x, y, shown, f"{where}, {name}")
        for name, x, y, shown in zip(names, values[0::3], values[1::3], values[2::3], strict=True)
    ]
    stated, shown = annotation.get("num_keypoints"), sum(flag > 0 for flag in values[2::3])
    if stated is not None and stated != shown:
        raise FormatError(f"{where}: num_keypoints {json.dumps(stated)}, but {shown} have a visibility above 0; correct it")
    return points


def _point(x: Any, y: Any, shown: Any, where: str) -> tuple[float, float]:
    if shown not in (0, 1, 2):
        raise FormatError(f"{where}: visibility {json.dumps(shown)}; expected 0 (hidden), 1 or 2")
    if not shown:
        return np.nan, np.nan
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (x, y)):
        raise FormatError(f"{where}: {json.dumps(x)}, {json.dumps(y)}; expected finite numbers, or visibility 0")
    return float(x), float(y)
