"""The procedural data set that `kpdetect toy` writes.

    images/000000.png ...
    keypoints.csv          image, keypoint (a name), x_px, y_px, visible

The split is by the image's index mod 5: 0, 1 and 2 are fitting images, 3 is reserved for validation, and 4 is a test image.
Hidden landmarks are used too, because their coordinates are exact.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.datasets.annotation_formats import read_long
from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, image_sizes
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash

FITTED, TESTED = (0, 1, 2), (4,)


def load_toy(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read a toy data set.

    Args:
        folder: output folder of `kpdetect toy`.
        protocol: protocol that names the keypoints to measure.

    Raises:
        InputError: a file or an image is missing.
        FormatError: keypoints.csv is damaged or lacks a landmark, or a landmark lies far outside of its image.
    """
    path = folder / "keypoints.csv"
    table = _read_table(path, protocol.landmarks)
    sizes = image_sizes(folder / "images", table.images)
    table.require_inside(sizes)
    remainder = np.array([_index(name, path) % 5 for name in table.images])
    return LandmarkSet(
        name="toy",
        folder=folder / "images",
        images=table.images,
        sizes=sizes,
        landmarks_px=table.points_px,
        fit=np.flatnonzero(np.isin(remainder, FITTED)),
        test=np.flatnonzero(np.isin(remainder, TESTED)),
        landmarks=table.landmarks,
        names_identify=False,  # two toy folders with different seeds use the same names for different pictures
        lists={"keypoints.csv": file_hash(path)},
        notes=("procedural images with exact landmarks",),
    )


def _read_table(path: Path, landmarks: tuple[str, ...]) -> AnnotationTable:
    """Read the coordinates of `landmarks`, sorted by the images' names."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; create a toy data set with `kpdetect toy --count 500 --out DIR`")
    table = read_long(path, keep_hidden=True)
    absent = [name for name in landmarks if name not in table.landmarks]
    if absent:
        raise FormatError(f"{path}: no keypoint named {', '.join(absent)}; create the folder again with `kpdetect toy`")
    table = replace(table, landmarks=landmarks, points_px=table.chosen(landmarks))
    holes = np.flatnonzero(np.isnan(table.points_px).any(axis=(1, 2)))
    if len(holes):
        first = table.images[holes[0]]
        fault = f"{len(holes):,} images lack a coordinate, the first is {first}"
        raise FormatError(f"{path}: {fault}; create the folder again with `kpdetect toy`")
    return table.rows(np.argsort(table.images))


def _index(name: str, path: Path) -> int:
    stem = Path(name).stem
    if not stem.isdigit():
        raise FormatError(f"{path}: image '{name}' has no number as its name; expected names such as 000012.png")
    return int(stem)
