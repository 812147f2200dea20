"""MTFL (Zhang et al. 2014): faces from two sources, loosely cropped, with MAFL's five points.

    landmarks.csv     image, part, label_ok, lefteye_x, lefteye_y, ..., rightmouth_y in pixels of the image file
    PART/NAME.jpg

Lines with label_ok 0 are not used. The data set has no split of these images. The images of each part are therefore sorted by
name and split by index mod 5: 0, 1 and 2 are fitting images, 3 is reserved for validation, and 4 is a test image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable, read_wide
from benchmarks.datasets.landmarks import LandmarkSet, image_sizes
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError
from kpdetect.files.hashes import file_hash

FITTED, TESTED = (0, 1, 2), (4,)
COLUMNS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")


def load_mtfl(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the five points in the order of the table's columns.

    Raises:
        InputError: a file or an image is missing.
        FormatError: the table is damaged; the message names the line.
    """
    table = read_wide(folder / "landmarks.csv")
    parts, usable = _column(table, "part"), np.array([text == "1" for text in _column(table, "label_ok")])
    remainder = np.full(len(table.images), -1)
    for part in sorted(set(parts)):
        rows = _sorted_rows(table.images, np.flatnonzero(usable & (np.array(parts) == part)))
        remainder[rows] = np.arange(len(rows)) % 5
    kept = np.flatnonzero(usable)
    names = [table.images[index] for index in kept]
    points, sizes = table.chosen(COLUMNS)[kept], image_sizes(folder, names)
    table.require_inside(sizes, kept)
    return LandmarkSet(
        name="mtfl",
        folder=folder,
        images=names,
        sizes=sizes,
        landmarks_px=points,
        fit=np.flatnonzero(np.isin(remainder[kept], FITTED)),
        test=np.flatnonzero(np.isin(remainder[kept], TESTED)),
        landmarks=protocol.landmarks,
        names_identify=False,
        lists={"landmarks.csv": file_hash(table.path)},
        notes=(f"{int((~usable).sum()):,} images with wrong labels are left out",),
    )


def _column(table: AnnotationTable, name: str) -> list[str]:
    if name not in table.extra:
        raise FormatError(f"{table.path}, line 1: no column {name}; expected image, part, label_ok, lefteye_x, ...")
    return table.extra[name]


def _sorted_rows(images: Sequence[str], rows: Iterable[int]) -> NDArray[np.int64]:
    return np.array(sorted((int(row) for row in rows), key=lambda row: images[row]), np.int64)
