"""CUB-200-2011 in its official layout; the folder is CUB_200_2011 or the one that holds it.

    images/001.Black_footed_Albatross/....jpg
    images.txt                `id path`
    train_test_split.txt      `id 1` for training, `id 0` for test
    bounding_boxes.txt        `id left top width height`
    parts/part_locs.txt       `id part x y visible`, 15 parts per image

Coordinates are read as pixels that begin at 0, as in the code of Choudhury et al. Hidden parts are neither fitted nor
measured. Images without a visible part are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble
from benchmarks.datasets.text_and_matlab import finite, keyed, keyed_words, read_words, require_keys
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash

FIRST_SPECIES = (1, 2, 3)
PARTS = 15
FILES = ("images.txt", "train_test_split.txt", "bounding_boxes.txt", "parts/part_locs.txt")
Located = tuple[NDArray[np.float64], int]
"""Points [parts, 2], NaN where hidden, and the image's first line in the file."""


def load_cub(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the 15 parts; its `subset` is the number of the species to test on, empty for all.

    Raises:
        InputError: a file or an image is missing.
        FormatError: a file is damaged; the message names it and the line.
    """
    folder = folder / "CUB_200_2011" if (folder / "CUB_200_2011").is_dir() else folder
    for name in FILES:
        if not (folder / name).exists():
            raise InputError(f"{folder}: no {name}; expected the official layout of CUB_200_2011")
    paths = keyed_words(folder / FILES[0], "`id NNN.Species/name.jpg`", lambda name: name[:3].isdigit())
    parts = read_parts(folder / FILES[3])
    training = _read_split(folder / FILES[1], paths)
    used = [number for number, path in paths.items() if _is_used(path, training[number], protocol.subset)]
    kept = [number for number in used if number in parts and not np.isnan(parts[number][0]).all()]
    table = AnnotationTable(
        path=folder / FILES[3],
        images=[paths[number] for number in kept],
        landmarks=protocol.landmarks,
        points_px=np.array([parts[number][0] for number in kept]).reshape(-1, PARTS, 2),
        lines=[parts[number][1] for number in kept],
    )
    fitted = np.array([training[number] for number in kept], np.bool_)
    facts = SourceFacts(
        name=protocol.name,
        folder=folder / "images",
        names_identify=True,
        lists={name: file_hash(folder / name) for name in FILES},
        notes=(f"{hidden:,} images without a visible part are left out",) if (hidden := len(used) - len(kept)) else (),
    )
    boxes = _read_boxes(folder / FILES[2], kept)
    return assemble(table, protocol, facts, fit=np.flatnonzero(fitted), test=np.flatnonzero(~fitted), boxes=boxes)


def read_parts(path: Path) -> dict[str, Located]:
    """Read the parts of every image, by the image's number.

    Raises:
        FormatError: a line has too many or too few values, a value is not a number, or a part is repeated or missing.
    """
    points: dict[str, NDArray[np.float64]] = {}
    lines: dict[str, list[int]] = {}
    for number, (image, *words) in read_words(path):
        where = f"{path}, line {number}"
        part, x, y, visible = finite(words, 4, where)
        if part not in range(1, PARTS + 1) or visible not in (0, 1):
            raise FormatError(f"{where}: part {part:g}, visible {visible:g}; expected part 1 to {PARTS}, visible 0 or 1")
        seen = lines.setdefault(image, [0] * PARTS)
        if seen[int(part) - 1]:
            raise FormatError(f"{where}: part {part:g} of image {image} is already on line {seen[int(part) - 1]}; remove one")
        seen[int(part) - 1] = number
        points.setdefault(image, np.full((PARTS, 2), np.nan))[int(part) - 1] = (x, y) if visible else (np.nan, np.nan)
    for image, seen in lines.items():
        if not all(seen):
            raise FormatError(f"{path}, line {max(seen)}: image {image} lacks part {seen.index(0) + 1}; download it again")
    return {image: (points[image], lines[image][0]) for image in points}


def _read_split(path: Path, paths: dict[str, str]) -> dict[str, bool]:
    listed = keyed(path, 1)
    for image, (number, (part,)) in listed.items():
        if part not in (0, 1):
            raise FormatError(f"{path}, line {number}: image {image} is {part:g}; expected 1 (training) or 0 (test)")
    require_keys(path, listed, paths, "line")
    return {image: part == 1 for image, (_, (part,)) in listed.items()}


def _is_used(path: str, training: bool, subset: str) -> bool:
    if not subset:
        return True
    species = int(path[:3])
    return species in FIRST_SPECIES if training else species == int(subset)


def _read_boxes(path: Path, images: list[str]) -> NDArray[np.float64]:
    listed = keyed(path, 4)
    require_keys(path, listed, images, "box")
    bad = next((image for image in images if min(listed[image][1][2:]) <= 0), None)
    if bad is not None:
        raise FormatError(f"{path}, line {listed[bad][0]}: the box of image {bad} has no area; expected left top width height")
    return np.array([listed[image][1] for image in images]).reshape(-1, 4)
