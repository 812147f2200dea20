"""MAFL: the aligned CelebA images of MAFL's training and testing lists, in the official layout.

    img_align_celeba/000001.jpg ...      or Img/img_align_celeba/
    list_landmarks_align_celeba.txt      or Anno/...: a count, a line of column names, then `name x y x y x y x y x y`
    MAFL/training.txt, MAFL/testing.txt  one name per line

Landmarks are integers in pixels of the official images, which are 178 wide and 218 high. A resized copy of the images works
too: in a copy of `width` pixels, an official x becomes (x + 0.5) * width / 178 - 0.5. Only the images of the two lists are
read, and only they need annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble, image_sizes, in_copies, names_hash
from benchmarks.datasets.text_and_matlab import finite, read_words, require_keys
from benchmarks.protocol.definition import Protocol
from kpdetect.coords import Size
from kpdetect.errors import FormatError, InputError

OFFICIAL_SIZE: Size = (218, 178)
OFFICIAL_LISTS = ("2003c1b639046405", "abd1c30049ae2687")
"""`names_hash` of the 19,000 training and the 1,000 testing names of MAFL."""
LANDMARKS = 5
Annotations = dict[str, tuple[int, list[float]]]
"""For each image name, the number of its line in the table, and the numbers in the line."""


def load_mafl(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the five landmarks in the order of the annotation.

    Raises:
        InputError: a file, folder or image is missing, or an image is not a copy of an aligned CelebA image.
        FormatError: a list or the landmark table is damaged; the message names the file and the line.
    """
    images = first_existing(folder, "img_align_celeba", "Img/img_align_celeba")
    path = first_existing(folder, "list_landmarks_align_celeba.txt", "Anno/list_landmarks_align_celeba.txt")
    fit, test = read_mafl_lists(folder)
    names = sorted({*fit, *test})
    table = landmark_table(path, names, protocol.landmarks)
    sizes = _checked_sizes(images, names)
    in_file = in_copies(table, np.array([OFFICIAL_SIZE] * len(names)), sizes)
    position = {name: index for index, name in enumerate(names)}
    facts = SourceFacts(
        name=data_name(fit, test),
        folder=images,
        names_identify=True,
        lists={"training": names_hash(fit), "testing": names_hash(test)},
        notes=_notes(fit, test, sizes),
    )
    rows = [np.array([position[name] for name in part]) for part in (fit, test)]
    return assemble(in_file, protocol, facts, fit=rows[0], test=rows[1], sizes=sizes)


def read_mafl_lists(folder: Path) -> tuple[list[str], list[str]]:
    """Read the names of MAFL's training and testing images.

    Raises:
        InputError: a list is missing.
        FormatError: a list is damaged.
    """
    fit = read_names(first_existing(folder, "MAFL/training.txt", "training.txt"))
    return fit, read_names(first_existing(folder, "MAFL/testing.txt", "testing.txt"))


def landmark_table(path: Path, names: Sequence[str], landmarks: Sequence[str]) -> AnnotationTable:
    """Read the annotations of some images, in pixels of the official images.

    Args:
        path: list_landmarks_align_celeba.txt or list_landmarks_celeba.txt.
        names: names of the images, in the order of the result.
        landmarks: names of the five points in the order of the table; the first two are the eyes.

    Raises:
        FormatError: the table is damaged or lacks an image, or its columns are swapped.
    """
    annotations = read_landmarks(path)
    require_keys(path, annotations, names, "landmarks")
    points = np.array([annotations[name][1] for name in names], np.float64).reshape(-1, LANDMARKS, 2)
    lines = [annotations[name][0] for name in names]
    table = AnnotationTable(path=path, images=list(names), landmarks=tuple(landmarks), points_px=points, lines=lines)
    table.require_level(landmarks[0], landmarks[1])
    return table


def data_name(fit: Sequence[str], test: Sequence[str]) -> str:
    """Return `mafl` for the official lists of 19,000 and 1,000 names, `mafl-mini` for other lists."""
    return "mafl" if (names_hash(fit), names_hash(test)) == OFFICIAL_LISTS else "mafl-mini"


def _notes(fit: Sequence[str], test: Sequence[str], sizes: NDArray[np.int64]) -> tuple[str, ...]:
    notes = []
    if data_name(fit, test) == "mafl-mini":
        notes.append(f"not MAFL: {len(fit):,} fitting and {len(test):,} test images instead of 19,000 and 1,000")
    shapes = sorted({(int(height), int(width)) for height, width in sizes})
    if shapes != [OFFICIAL_SIZE]:
        notes.append("resized copy: images of " + ", ".join(f"{width}x{height}" for height, width in shapes) + " pixels")
    return tuple(notes)


def first_existing(folder: Path, *candidates: str) -> Path:
    """Return the first of some paths inside of `folder` that exists.

    Raises:
        InputError: none of the paths exists.
    """
    for candidate in candidates:
        if (folder / candidate).exists():
            return folder / candidate
    raise InputError(f"{folder}: no {' or '.join(candidates)}; expected the official CelebA layout with the MAFL lists")


def read_names(path: Path) -> list[str]:
    """Read the names of a list with one name per line.

    Raises:
        FormatError: the list is empty, a line has several words, or a name is repeated.
    """
    seen: dict[str, int] = {}
    for number, words in read_words(path):
        if len(words) != 1:
            raise FormatError(f"{path}, line {number}: expected one image name, got {len(words)} words")
        if words[0] in seen:
            raise FormatError(f"{path}, line {number}: {words[0]} is already on line {seen[words[0]]}; remove one")
        seen[words[0]] = number
    if not seen:
        raise FormatError(f"{path}: no names; expected one image name per line")
    return list(seen)


def read_landmarks(path: Path) -> Annotations:
    """Read a landmark table: for each image name its line, and x, y of 5 points in pixels of the official image.

    Raises:
        FormatError: a line has too many or too few values, a value is not a finite number, or a name is repeated.
    """
    return read_celeba_table(path, 2 * LANDMARKS)


def read_celeba_table(path: Path, numbers: int) -> Annotations:
    """Read an official table: a count, a line of column names, then a name and `numbers` numbers per image.

    Raises:
        FormatError: a line has too many or too few values, a value is not a finite number, a name is repeated, or the count
            is wrong.
    """
    lines = read_words(path)
    if len(lines) < 2 or len(lines[0][1]) != 1 or not lines[0][1][0].isdigit():
        first = " ".join(lines[0][1])[:40] if lines else ""
        raise FormatError(f"{path}, line 1: expected the number of images, got '{first}'")
    annotations: Annotations = {}
    for number, (name, *words) in lines[2:]:
        where = f"{path}, line {number}"
        if len(words) != numbers:
            raise FormatError(f"{where}: expected a name and {numbers} numbers, got {len(words)} numbers")
        if name in annotations:
            raise FormatError(f"{where}: {name} is listed twice; remove one")
        annotations[name] = (number, finite(words, numbers, f"{where}, {name}"))
    announced, count = int(lines[0][1][0]), len(annotations)
    if count != announced:
        raise FormatError(f"{path}, line 1: announces {announced:,} images, but the table has {count:,}; download it again")
    return annotations


def _checked_sizes(images: Path, names: Sequence[str]) -> NDArray[np.int64]:
    sizes = image_sizes(images, names)
    squeezed = np.abs(sizes[:, 0] - sizes[:, 1] * OFFICIAL_SIZE[0] / OFFICIAL_SIZE[1]) > 1
    if squeezed.any():
        number = int(np.argmax(squeezed))
        shape = f"{sizes[number, 1]}x{sizes[number, 0]} pixels"
        raise InputError(f"{images / names[number]}: {shape}; expected 178x218 or a resized copy of the whole aligned image")
    return sizes
