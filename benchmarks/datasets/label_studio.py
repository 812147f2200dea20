"""Label Studio's export "JSON": a list of tasks, each an image with the regions that people marked in it.

Only regions in `annotations` are read, because people marked these. Skipped tasks, tasks without annotations, and regions that
are not keypoints are left out. Coordinates of a keypoint are percentages of the image's width and height, measured at
pixel edges: x_px = x / 100 W - 0.5. The size W x H that a region states must be that of the picture as displayed (see
`AnnotationTable.require_sizes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from pydantic import Field

from benchmarks.datasets.annotation_table import AnnotationTable
from kpdetect.errors import FormatError
from kpdetect.files.records import Record, checked

KEYPOINT = "keypointlabels"
"""Type of the regions that are read."""
AGAIN = "export the project again, as JSON"
_LOADED = re.compile(r"^[0-9a-f]{8}-")
"""The prefix that Label Studio adds to the name of an uploaded file."""
Side = Annotated[int, Field(ge=1, lt=2**31)]
Points = dict[str, tuple[float, float]]


class _Region(Record):
    """A region, of any type."""

    type: str = ""
    original_width: Side | None = None
    original_height: Side | None = None
    image_rotation: float | None = None
    value: dict[str, Any] = {}


class _Keypoint(Record):
    """The value of a region of the type `keypointlabels`."""

    x: float
    y: float
    keypointlabels: Annotated[list[str], Field(min_length=1, max_length=1)]


class _Annotation(Record):
    """The regions that one person marked in an image."""

    result: list[_Region]
    was_cancelled: bool | None = None


class _Task(Record):
    """An image with its annotations."""

    id: int | str | None = None
    data: dict[str, Any]
    annotations: list[_Annotation] = []


def read_label_studio(path: Path, content: list[Any]) -> AnnotationTable:
    """Read annotations from the parsed JSON of a file.

    Raises:
        FormatError: the content is not such an export, or contradicts itself; the message names the task.
    """
    points: dict[str, Points] = {}
    sizes: dict[str, tuple[int, int]] = {}
    places: dict[str, str] = {}
    for number, task in enumerate(checked(list[_Task], content, path, FormatError, AGAIN)):
        where = f"{path}, task {number} (id {task.id})"
        done = [annotation for annotation in task.annotations if not annotation.was_cancelled]
        if len(done) > 1:
            raise FormatError(f"{where}: {len(done)} annotations; keep one for each image")
        if not done:
            continue
        image = _image(task.data, where)
        if image in places:
            raise FormatError(f"{where}: {image} is already the image of {places[image]}; remove one")
        places[image] = where
        sizes[image], points[image] = _marked(done[0], where)
    if not places:
        raise FormatError(f"{path}: no task has an annotation; mark the keypoints in Label Studio, then {AGAIN}")
    names = tuple(dict.fromkeys(name for marked in points.values() for name in marked))
    hidden = (np.nan, np.nan)
    rows = [[points[image].get(name, hidden) for name in names] for image in places]
    return AnnotationTable(
        path=path,
        images=list(places),
        landmarks=names,
        points_px=np.array(rows, np.float64).reshape(len(places), len(names), 2),
        lines=[],
        places=list(places.values()),
        sizes=np.array([sizes[image] for image in places], np.int64),
    )


def _image(data: dict[str, Any], where: str) -> str:
    """Return the name of a task's image, which is a file in local storage, an uploaded file, or a web address."""
    address = data.get("image")
    if not isinstance(address, str) or not address:
        raise FormatError(f"{where}: data has no text `image`; call the image `$image` in the labelling interface")
    parts = urlsplit(address)
    if local := parse_qs(parts.query).get("d"):
        return local[0]
    name = unquote(parts.path)
    if name.startswith("/data/upload/"):
        return _LOADED.sub("", name.rpartition("/")[2])
    return name.lstrip("/") if parts.scheme else address


def _marked(annotation: _Annotation, where: str) -> tuple[tuple[int, int], Points]:
    """Return the (height, width) that the keypoints state, (0, 0) without keypoints, and the points in pixels."""
    stated: dict[tuple[int, int], None] = {}
    points: Points = {}
    for height, width, keypoint in _keypoints(annotation, where):
        stated.setdefault((height, width))
        if len(stated) > 1:
            sizes = " and ".join(f"{across}x{down}" for down, across in stated)
            raise FormatError(f"{where}: the regions state different sizes, {sizes} pixels (width x height); {AGAIN}")
        name = keypoint.keypointlabels[0]
        if name in points:
            raise FormatError(f"{where}: a second keypoint {name}; keep one object per image")
        points[name] = keypoint.x / 100 * width - 0.5, keypoint.y / 100 * height - 0.5
    return next(iter(stated), (0, 0)), points


def _keypoints(annotation: _Annotation, where: str) -> Iterator[tuple[int, int, _Keypoint]]:
    """Yield, for each region with a keypoint, the height and width that the region states, and the keypoint."""
    for number, region in enumerate(annotation.result):
        if region.type != KEYPOINT:
            continue
        here = f"{where}, region {number}"
        if region.original_width is None or region.original_height is None:
            raise FormatError(f"{here}: lacks original_width or original_height; {AGAIN}")
        if region.image_rotation:
            turned = f"the image was rotated by {region.image_rotation:g} degrees"
            raise FormatError(f"{here}: {turned}; rotate it back and mark the keypoints again")
        keypoint = checked(_Keypoint, region.value, here, FormatError, AGAIN)
        yield region.original_height, region.original_width, keypoint
