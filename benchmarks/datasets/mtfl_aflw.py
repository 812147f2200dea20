"""MTFL (Zhang et al. 2014) in its official layout. The fitting images are from LFW and the web, the test images from AFLW.

    training.txt, testing.txt     `path x1 x2 x3 x4 x5 y1 y2 y3 y4 y5 gender smile glasses pose`
    lfw_5590/..., net_7876/..., AFLW/...

The points are both eyes, the nose and both corners of the mouth; all x come before all y. Coordinates begin at 1, as in DVE's
code for testing.txt; we assume the same for training.txt. Paths are written with `\\` or `/`. The data folder may also
be the parent folder of MTFL/.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble
from benchmarks.datasets.text_and_matlab import finite, read_words
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash

LISTS = ("training.txt", "testing.txt")
OFFICIAL = (10_000, 2_995)
POINTS, ATTRIBUTES = 5, 4
FIRST = 1.0
"""Coordinate of the first pixel's centre in the lists."""


def load_mtfl_aflw(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set, or the parent folder of MTFL/.
        protocol: protocol that names the five points, eyes first.

    Raises:
        InputError: a list or an image is missing.
        FormatError: a list is damaged; the message names the file and the line.
    """
    folder = folder / "MTFL" if (folder / "MTFL" / LISTS[0]).exists() else folder
    images: list[str] = []
    points, places, counts = [], [], []
    for name in LISTS:
        path = folder / name
        if not path.exists():
            raise InputError(f"{folder}: no {name}; expected the official MTFL layout with {LISTS[0]} and {LISTS[1]}")
        lines = read_words(path)
        for number, (image, *words) in lines:
            where = f"{path}, line {number}"
            values = np.array(finite(words, 2 * POINTS + ATTRIBUTES, where))[: 2 * POINTS]
            images.append(image.replace("\\", "/"))
            points.append(values.reshape(2, POINTS).T - FIRST)
            places.append(where)
        counts.append(len(lines))
        if not lines:
            raise FormatError(f"{path}: the file is empty; download it again")
    table = AnnotationTable(
        path=folder, images=images, landmarks=protocol.landmarks, points_px=np.array(points), lines=[], places=places
    )
    table.require_level(protocol.landmarks[0], protocol.landmarks[1])
    official = tuple(counts) == OFFICIAL
    facts = SourceFacts(
        name="mtfl-aflw" if official else "mtfl-aflw-mini",
        folder=folder,
        lists={name: file_hash(folder / name) for name in LISTS},
        notes=() if official else (f"not MTFL: {counts[0]:,} and {counts[1]:,} lines instead of 10,000 and 2,995",),
    )
    rows = np.arange(sum(counts))
    return assemble(table, protocol, facts, fit=rows[: counts[0]], test=rows[counts[0] :])
