"""Anybody's own annotations as a benchmark: `table:FILE`.

FILE is a CSV with a line per image or per point, DeepLabCut's CSV, or COCO keypoints (see `benchmarks.datasets.annotations`);
the images are under the folder given as data. Split, first that applies: lists of names; a column `split` with the values fit
and test; otherwise, sorted by name, index mod 5 in {0, 1, 2} fits and 4 tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotations import read_annotations
from benchmarks.datasets.celeba import read_names
from benchmarks.datasets.landmarks import LandmarkSet, image_sizes
from benchmarks.datasets.wide import AnnotationTable
from benchmarks.protocols import OWN_REGRESSIONS, Protocol, Unit
from kpdetect.errors import FormatError, InputError
from kpdetect.files import file_hash

TABLE = "table:"
UNITS = ("box", "image", "pixel")
Split = tuple[NDArray[np.int64], NDArray[np.int64], str]
"""Indices to fit on, indices to test on, and the rule in words."""


@dataclass(frozen=True, kw_only=True)
class Annotated:
    """How a table is measured.

    Attributes:
        unit: `box`, `image`, `pixel`, or two landmarks as `left,right`; see `benchmarks.protocols`.
        fit, test: files with the names of the images of each part; both or none.
    """

    unit: str = "box"
    fit: Path | None = None
    test: Path | None = None


def load_table(path: Path, images: Path, annotated: Annotated) -> tuple[Protocol, LandmarkSet]:
    """Read annotations and make a protocol of them.

    Args:
        path: the annotations.
        images: folder that their names start from.
        annotated: unit and split.

    Raises:
        InputError: missing files or images, an unknown unit, or a split that leaves a part empty.
        FormatError: damaged annotations; the message names the line.
    """
    if not images.is_dir():
        raise InputError(f"{images}: not a folder; give the folder of the images with --data")
    table = read_annotations(path)
    fit, test, rule = _split(table, annotated)
    used = np.sort(np.concatenate([fit, test]))
    names = [table.images[index] for index in used]
    sizes = image_sizes(images, names)
    table.require_inside(sizes, used)
    landmark_set = LandmarkSet(
        name=path.stem,
        folder=images,
        images=names,
        sizes=sizes,
        landmarks_px=table.points_px[used],
        fit=np.searchsorted(used, fit),
        test=np.searchsorted(used, test),
        names_identify=False,
        lists={path.name: file_hash(path)},
        notes=(rule,),
    )
    protocol = Protocol(
        name="table",
        dataset="table",
        images=f"those of {path.name}",
        split=rule,
        landmarks=table.landmarks,
        unit=_unit(annotated.unit, table),
        regressions=OWN_REGRESSIONS,
        source=f"own annotations: {path.name}",
    )
    return protocol, landmark_set


def _unit(text: str, table: AnnotationTable) -> Unit:
    if text in UNITS:
        return text  # type: ignore[return-value]
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 2 or not set(names) <= set(table.landmarks):
        choice = f"{', '.join(UNITS)}, or two of {', '.join(table.landmarks)}"
        raise InputError(f"--normaliser {text}: expected {choice}, separated by a comma")
    return names[0], names[1]


def _split(table: AnnotationTable, annotated: Annotated) -> Split:
    if (annotated.fit is None) != (annotated.test is None):
        raise InputError("--fit-list and --test-list: give both or none")
    if annotated.fit is not None and annotated.test is not None:
        return _listed(table, annotated.fit), _listed(table, annotated.test), "split by lists of names"
    if "split" in table.extra:
        return _by_column(table)
    order = np.array(sorted(range(len(table.images)), key=lambda index: table.images[index]), np.int64)
    remainder = np.arange(len(order)) % 5
    return order[remainder < 3], order[remainder == 4], "split by sorted names: index mod 5 in 0, 1, 2 fits, 4 tests"


def _listed(table: AnnotationTable, path: Path) -> NDArray[np.int64]:
    position = {name: index for index, name in enumerate(table.images)}
    names = read_names(path)
    absent = [name for name in names if name not in position]
    if absent:
        raise FormatError(f"{path}: {len(absent):,} names are not in {table.path}, the first is {absent[0]}; remove them")
    return np.array([position[name] for name in names], np.int64)


def _by_column(table: AnnotationTable) -> Split:
    texts: Sequence[str] = table.extra["split"]
    for text, line in zip(texts, table.lines, strict=True):
        if text not in ("fit", "test", "train", ""):
            raise FormatError(f"{table.path}, line {line}: split '{text}'; expected fit (or train), test, or nothing")
    column = np.array(texts)
    fit = np.flatnonzero((column == "fit") | (column == "train"))
    return fit, np.flatnonzero(column == "test"), "split by the table's own column"
