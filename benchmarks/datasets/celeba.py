"""MAFL: the images of aligned CelebA that carry MAFL's training and testing lists, in the official layout.

    img_align_celeba/000001.jpg ...      or Img/img_align_celeba/
    list_landmarks_align_celeba.txt      or Anno/...: a count, a line of column names, then `name x y x y x y x y x y`
    MAFL/training.txt, MAFL/testing.txt  one name per line

Landmarks are integers in official pixels, 178 wide and 218 high. A resized copy of the images is welcome: official x is
(x + 0.5) * width / 178 - 0.5 in a copy `width` pixels wide. Only the images of the two lists are read or need
annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet, image_sizes, names_hash
from benchmarks.protocols import Protocol
from kpdetect.coords import Size, apply_affine, crop_resize_affine
from kpdetect.errors import FormatError, InputError

OFFICIAL_SIZE: Size = (218, 178)
OFFICIAL_LISTS = ("2003c1b639046405", "abd1c30049ae2687")
"""`names_hash` of the 19,000 training and the 1,000 testing names of MAFL."""
LANDMARKS = 5
Annotations = dict[str, list[float]]


def load_mafl(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the layout above.

    Args:
        folder: the data set.
        protocol: names the five landmarks in the order of the annotation.

    Raises:
        InputError: a file, folder or image is missing, or an image is no copy of an aligned CelebA image.
        FormatError: a list or the landmark table is damaged; the message names the file and the line.
    """
    images = _first_existing(folder, "img_align_celeba", "Img/img_align_celeba")
    table = _first_existing(folder, "list_landmarks_align_celeba.txt", "Anno/list_landmarks_align_celeba.txt")
    fit = read_names(_first_existing(folder, "MAFL/training.txt", "training.txt"))
    test = read_names(_first_existing(folder, "MAFL/testing.txt", "testing.txt"))
    annotations = read_landmarks(table)
    names = sorted({*fit, *test})
    _require_annotations(names, annotations, table)
    sizes = _checked_sizes(images, names)
    position = {name: index for index, name in enumerate(names)}
    return LandmarkSet(
        name=data_name(fit, test),
        folder=images,
        images=names,
        sizes=sizes,
        landmarks_px=_in_file_pixels([annotations[name] for name in names], sizes),
        fit=np.array([position[name] for name in fit]),
        test=np.array([position[name] for name in test]),
        names_identify=True,
        lists={"training": names_hash(fit), "testing": names_hash(test)},
        notes=_notes(fit, test, sizes),
    )


def data_name(fit: Sequence[str], test: Sequence[str]) -> str:
    """`mafl` for the official 19,000 and 1,000 names, `mafl-mini` for any other lists."""
    return "mafl" if (names_hash(fit), names_hash(test)) == OFFICIAL_LISTS else "mafl-mini"


def _notes(fit: Sequence[str], test: Sequence[str], sizes: NDArray[np.int64]) -> tuple[str, ...]:
    notes = []
    if data_name(fit, test) == "mafl-mini":
        notes.append(f"not MAFL: {len(fit):,} images fitted and {len(test):,} tested instead of 19,000 and 1,000")
    found = sorted({(int(height), int(width)) for height, width in sizes})
    if found != [OFFICIAL_SIZE]:
        notes.append("resized copy: images of " + ", ".join(f"{width}x{height}" for height, width in found) + " pixels")
    return tuple(notes)


def _first_existing(folder: Path, *candidates: str) -> Path:
    for candidate in candidates:
        if (folder / candidate).exists():
            return folder / candidate
    raise InputError(f"{folder}: no {' or '.join(candidates)}; expected the official CelebA layout with the MAFL lists")


def read_names(path: Path) -> list[str]:
    """The names of a list, one per line, in order.

    Raises:
        FormatError: an empty list, more than one word on a line, or a name that is there twice.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 1:
            raise FormatError(f"{path}, line {number}: expected one image name, got {len(words)} words")
        if words[0] in seen:
            raise FormatError(f"{path}, line {number}: {words[0]} is already on line {seen[words[0]]}; remove one")
        seen[words[0]] = number
    if not seen:
        raise FormatError(f"{path}: no names; expected one image name per line")
    return list(seen)


def read_landmarks(path: Path) -> Annotations:
    """The landmark table: name -> x, y of 5 points in official pixels.

    Raises:
        FormatError: wrong counts, values that are no finite numbers, or a name that is there twice.
    """
    lines = _lines(path)
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise FormatError(f"{path}, line 1: expected the number of images, got '{lines[0][:40] if lines else ''}'")
    found: Annotations = {}
    for number, line in enumerate(lines[2:], start=3):
        if not line.strip():
            continue
        name, values = _landmark_row(line, f"{path}, line {number}")
        if name in found:
            raise FormatError(f"{path}, line {number}: {name} is there a second time; remove one")
        found[name] = values
    if len(found) != int(lines[0]):
        raise FormatError(f"{path}, line 1: announces {int(lines[0]):,} images, the table holds {len(found):,}; it is cut off")
    return found


def _landmark_row(line: str, where: str) -> tuple[str, list[float]]:
    name, *words = line.split()
    if len(words) != 2 * LANDMARKS:
        raise FormatError(f"{where}: expected a name and {2 * LANDMARKS} numbers, got {len(words)} numbers")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{where}: {error}; expected {2 * LANDMARKS} numbers") from error
    if not np.isfinite(values).all():
        raise FormatError(f"{where}: {name} has a coordinate that is not finite; expected {2 * LANDMARKS} numbers")
    return name, values


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a readable text file; download it again") from error


def _require_annotations(names: Sequence[str], annotations: Annotations, table: Path) -> None:
    missing = [name for name in names if name not in annotations]
    if missing:
        raise FormatError(f"{table}: no landmarks for {len(missing):,} listed images, the first is {missing[0]}")


def _checked_sizes(images: Path, names: Sequence[str]) -> NDArray[np.int64]:
    sizes = image_sizes(images, names)
    squeezed = np.abs(sizes[:, 0] - sizes[:, 1] * OFFICIAL_SIZE[0] / OFFICIAL_SIZE[1]) > 1
    if squeezed.any():
        number = int(np.argmax(squeezed))
        found = f"{sizes[number, 1]}x{sizes[number, 0]} pixels"
        raise InputError(f"{images / names[number]}: {found}; expected 178x218 or a resized copy of the whole aligned image")
    return sizes


def _in_file_pixels(official: Sequence[Sequence[float]], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    points = np.array(official, dtype=np.float64).reshape(-1, LANDMARKS, 2)
    whole = (0.0, 0.0, float(OFFICIAL_SIZE[1]), float(OFFICIAL_SIZE[0]))
    maps = [crop_resize_affine(whole, (int(height), int(width))) for height, width in sizes]
    return np.stack([apply_affine(matrix, row) for matrix, row in zip(maps, points, strict=True)])
