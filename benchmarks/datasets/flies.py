"""Fruit flies from SLEAP's example recording, cropped and rotated so that the head is up.

    landmarks.csv        image, head_x, head_y, thorax_x, ... in pixels of the image file, empty where missing
    images/FRAME_FLY.png

The points come from a supervised tracker, not from people. Neighbouring frames look alike, so the split is by time. The
regression is fitted on frames below 900 and tested on frames from 1,200 on; frames 900 to 999 are reserved for validation. For
cross-validation, `BLOCK` consecutive frames form a group.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable, read_wide
from benchmarks.datasets.landmarks import LandmarkSet, image_sizes
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError
from kpdetect.files.hashes import file_hash

FIT_BEFORE, TEST_FROM = 900, 1_200
BLOCK = 50


def load_flies(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows; leave out crops that lack a landmark of the unit.

    Args:
        folder: the data set.
        protocol: protocol that names the landmarks to measure, and the two landmarks of the unit.

    Raises:
        InputError: a file or an image is missing.
        FormatError: the table is damaged; the message names the line.
    """
    table = read_wide(folder / "landmarks.csv")
    points = table.chosen(protocol.landmarks)
    needed = [protocol.landmarks.index(name) for name in protocol.unit]
    kept = np.flatnonzero(~np.isnan(points[:, needed]).any(axis=(1, 2)))
    frames = _frames(table)[kept]
    names = [table.images[index] for index in kept]
    sizes = image_sizes(folder, names)
    table.require_inside(sizes, kept)
    return LandmarkSet(
        name="flies",
        folder=folder,
        images=names,
        sizes=sizes,
        landmarks_px=points[kept],
        fit=np.flatnonzero(frames < FIT_BEFORE),
        test=np.flatnonzero(frames >= TEST_FROM),
        groups=frames // BLOCK,
        landmarks=protocol.landmarks,
        names_identify=False,
        lists={"landmarks.csv": file_hash(table.path)},
        notes=(
            "the landmarks come from a supervised tracker",
            f"split by time; {len(table.images) - len(kept):,} crops without {' or '.join(protocol.unit)} are left out",
        ),
    )


def _frames(table: AnnotationTable) -> NDArray[np.int64]:
    texts = [PurePosixPath(name).name.partition("_")[0] for name in table.images]
    for text, line in zip(texts, table.lines, strict=True):
        if not text.isdigit():
            raise FormatError(f"{table.path}, line {line}: the image's name begins with '{text}'; expected a frame number")
    return np.array([int(text) for text in texts], np.int64)
