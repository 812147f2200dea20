"""300-W: faces from four sources with 68 points, and a file of points next to every image.

    afw/*.pts and images, helen/trainset, helen/testset, lfpw/trainset, lfpw/testset, ibug

A .pts file holds `version: 1`, `n_points: 68`, `{`, a line `x y` per point, `}`. Coordinates begin at 1 (MATLAB), so 1 is
subtracted. The image has the same name and ends in .jpg or .png.

The split is the usual one, by Ren et al. (2014). The regression is fitted on AFW and both training sets. The common test set is
the test sets of HELEN and LFPW, the challenging test set is IBUG, and the full test set is all three.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble, names_hash
from benchmarks.datasets.text_and_matlab import Line, finite, read_words
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError

FIT = ("afw", "helen/trainset", "lfpw/trainset")
COMMON, CHALLENGING = ("helen/testset", "lfpw/testset"), ("ibug",)
TESTED = {"full": (*COMMON, *CHALLENGING), "common": COMMON, "challenging": CHALLENGING}
OFFICIAL = {"full": (3_148, 689), "common": (3_148, 554), "challenging": (3_148, 135)}
SUFFIXES = (".jpg", ".png", ".JPG", ".jpeg")
FIRST = 1.0
"""Coordinate of the first pixel's centre in a file of points."""


def load_300w(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the 68 points; its `subset` is the test set: full, common or challenging.

    Raises:
        InputError: a folder or an image is missing.
        FormatError: a file of points is damaged; the message names the file and the line.
    """
    fit, test = (_find(folder, parts) for parts in (FIT, TESTED[protocol.subset]))
    paths = [*fit, *test]
    images = [_image_of(path).relative_to(folder).as_posix() for path in paths]
    points = np.array([read_pts(path, len(protocol.landmarks)) for path in paths])
    table = AnnotationTable(
        path=folder,
        images=images,
        landmarks=protocol.landmarks,
        points_px=points,
        lines=[],
        places=[str(path) for path in paths],
    )
    assert isinstance(protocol.unit, tuple)
    table.require_level(*protocol.unit)
    official = (len(fit), len(test)) == OFFICIAL[protocol.subset]
    expected = " and ".join(f"{count:,}" for count in OFFICIAL[protocol.subset])
    facts = SourceFacts(
        name=protocol.name if official else f"{protocol.name}-mini",
        folder=folder,
        lists={"fit": names_hash(images[: len(fit)]), "test": names_hash(images[len(fit) :])},
        notes=() if official else (f"not 300-W: {len(fit):,} fitting and {len(test):,} test images instead of {expected}",),
    )
    rows = np.arange(len(paths))
    return assemble(table, protocol, facts, fit=rows[: len(fit)], test=rows[len(fit) :])


def read_pts(path: Path, expected: int) -> np.ndarray:
    """Read the points [expected, 2] of a .pts file, in pixels with 0 at the first pixel's centre.

    Raises:
        FormatError: the file has another number of points, or a line that is not a point; the message names the line.
    """
    lines = read_words(path)
    numbers = [(line, words) for line, words in lines if words not in (["{"], ["}"]) and not words[0].endswith(":")]
    _require_header(path, lines, expected)
    if len(numbers) != expected:
        raise FormatError(f"{path}: {len(numbers)} points; expected {expected}")
    return np.array([finite(words, 2, f"{path}, line {line}") for line, words in numbers]) - FIRST


def _require_header(path: Path, lines: list[Line], expected: int) -> None:
    header = {words[0]: (number, words[1:]) for number, words in lines if words[0].endswith(":")}
    number, count = header.get("n_points:", (1, []))
    if count != [str(expected)]:
        raise FormatError(f"{path}, line {number}: 'n_points: {' '.join(count)}'; expected {expected} points")
    braces = [words[0] for _, words in lines if words in (["{"], ["}"])]
    if braces != ["{", "}"]:
        raise FormatError(f"{path}: expected the points between one {{ and one }}; download the file again")


def _find(folder: Path, parts: tuple[str, ...]) -> list[Path]:
    files: list[Path] = []
    for part in parts:
        paths = sorted((folder / part).glob("*.pts"))
        if not paths:
            raise InputError(f"{folder / part}: no .pts files; expected the folders {', '.join((*FIT, *TESTED['full']))}")
        files += paths
    return files


def _image_of(path: Path) -> Path:
    for suffix in SUFFIXES:
        if path.with_suffix(suffix).exists():
            return path.with_suffix(suffix)
    raise InputError(f"{path}: no image {path.stem}.jpg or {path.stem}.png next to it; add it or remove the points")
