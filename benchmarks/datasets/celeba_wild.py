"""CelebA in the wild: the images of MAFL's lists whose face covers at least 30 % of the image, in the official layout.

    img_celeba/000001.jpg ...            or Img/img_celeba/
    list_landmarks_celeba.txt            or Anno/...: a count, a line of column names, then `name x y x y x y x y x y`
    list_bbox_celeba.txt                 or Anno/...: a count, a line of column names, then `name left top width height`
    list_eval_partition.txt              or Eval/..., optional: `name part`, 0 training, 1 validation, 2 test
    MAFL/training.txt, MAFL/testing.txt  one name per line
    list_imsize_celeba.txt               or Anno/..., for resized copies, from SCOPS: `name height width` of the official images

Landmarks and boxes are integers in pixels of the official images, which all have different sizes. Without the list of sizes,
the images must be the official ones. With it, a resized copy of the whole images works too, even if all images are stretched
to one size. The landmarks are then scaled to the copy. The choice of images always depends on the official sizes.

An image is used if the area of its box is at least 0.3 of the area of the official image, as in SCOPS' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.celeba import data_name, first_existing, landmark_table, read_celeba_table, read_mafl_lists
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble, image_sizes, in_copies, names_hash
from benchmarks.datasets.text_and_matlab import keyed, keyed_words, require_keys
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError

SHARE = 0.3
SIZES, PARTITION = "list_imsize_celeba.txt", "list_eval_partition.txt"
BEYOND = 0.15
"""If more than this share of the images have a landmark outside, the sizes are not those of the official images."""


def load_celeba_wild(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the five landmarks in the order of the annotation.

    Raises:
        InputError: a file, folder or image is missing, or the images are resized and `list_imsize_celeba.txt` is missing.
        FormatError: a list or a table is damaged; the message names the file and the line.
    """
    images = first_existing(folder, "img_celeba", "Img/img_celeba")
    fit, test = read_mafl_lists(folder)
    listed = sorted({*fit, *test})
    official = _official_sizes(folder, images, listed)
    path = first_existing(folder, "list_landmarks_celeba.txt", "Anno/list_landmarks_celeba.txt")
    annotations = landmark_table(path, listed, protocol.landmarks)
    _require_official_pixels(annotations, official)
    kept = np.flatnonzero(_large_faces(folder, listed, official))
    table = annotations.rows(kept)
    names, sizes = table.images, image_sizes(images, table.images)
    _require_whole(images, names, official[kept], sizes)
    position = {name: index for index, name in enumerate(names)}
    rows = [np.array([position[name] for name in part if name in position], np.int64) for part in (fit, test)]
    facts = SourceFacts(
        name="celeba-wild" if data_name(fit, test) == "mafl" else "celeba-wild-mini",
        folder=images,
        names_identify=True,
        lists={"training": names_hash(fit), "testing": names_hash(test)},
        notes=_notes(folder, (fit, test), [names[row] for row in rows[1]], len(names), bool((official[kept] != sizes).any())),
    )
    return assemble(in_copies(table, official[kept], sizes), protocol, facts, fit=rows[0], test=rows[1], sizes=sizes)


def _existing(folder: Path, name: str, inside: str) -> Path | None:
    return next((folder / path for path in (name, f"{inside}/{name}") if (folder / path).exists()), None)


def _official_sizes(folder: Path, images: Path, names: Sequence[str]) -> NDArray[np.int64]:
    path = _existing(folder, SIZES, "Anno")
    if path is None:
        return image_sizes(images, names)
    listed = keyed(path, 2)
    require_keys(path, listed, names, "size")
    bad = next((name for name in names if min(listed[name][1]) < 1), None)
    if bad is not None:
        raise FormatError(f"{path}, line {listed[bad][0]}: {bad} has a side below 1 pixel; expected height and width")
    return np.array([listed[name][1] for name in names]).astype(np.int64)


def _require_official_pixels(table: AnnotationTable, official: NDArray[np.int64]) -> None:
    beyond = (table.points_px > official[:, None, ::-1]).any(axis=(1, 2))
    if beyond.mean() > BEYOND:
        row = int(np.argmax(beyond))
        fault = f"a landmark of {table.images[row]} is outside of the image, as in {beyond.mean():.0%} of the images"
        advice = f"for a resized copy add {SIZES}; if that list exists, check its columns: height comes before width"
        raise InputError(f"{table.where(row)}: {fault}; {advice}")


def _large_faces(folder: Path, names: Sequence[str], official: NDArray[np.int64]) -> NDArray[np.bool_]:
    path = first_existing(folder, "list_bbox_celeba.txt", "Anno/list_bbox_celeba.txt")
    listed = read_celeba_table(path, 4)
    require_keys(path, listed, names, "box")
    boxes = np.array([listed[name][1] for name in names])
    negative = (boxes[:, 2:] < 0).any(axis=1)
    if negative.any():
        name = names[int(np.argmax(negative))]
        raise FormatError(f"{path}, line {listed[name][0]}: {name} has a box of negative size; expected left top width height")
    kept: NDArray[np.bool_] = boxes[:, 2] * boxes[:, 3] >= SHARE * official[:, 0] * official[:, 1]
    if not kept.any():
        raise InputError(f"{path}: no listed face covers {SHARE:.0%} of its image; are these the images in the wild?")
    return kept


def _require_whole(images: Path, names: Sequence[str], official: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
    """Check that copies keep the ratio of their sides, up to rounding, unless all are stretched to one size."""
    if len(np.unique(sizes, axis=0)) == 1:
        return
    ratio = official[:, 0] / official[:, 1]
    squeezed = np.abs(sizes[:, 0] - sizes[:, 1] * ratio) > 1 + ratio
    if squeezed.any():
        number = int(np.argmax(squeezed))
        shape, expected = (f"{array[number, 1]}x{array[number, 0]}" for array in (sizes, official))
        raise InputError(f"{images / names[number]}: {shape} pixels; expected {expected} or a resized copy of the whole image")


def _notes(
    folder: Path, lists: tuple[list[str], list[str]], tested: Sequence[str], kept: int, resized: bool
) -> tuple[str, ...]:
    total = sum(map(len, lists))
    notes = [f"faces covering at least {SHARE:.0%} of the image: {kept:,} of {total:,} listed"]
    if data_name(*lists) != "mafl":
        notes.append(f"not MAFL: lists of {len(lists[0]):,} and {len(lists[1]):,} names instead of 19,000 and 1,000")
    if resized:
        notes.append(f"resized copy: landmarks follow {SIZES}")
    path = _existing(folder, PARTITION, "Eval")
    if path is not None:
        parts = keyed_words(path, "an image name and 0, 1 or 2", lambda part: part in ("0", "1", "2"))
        training = sum(parts.get(name) == "0" for name in tested)
        text = f"{training:,} test images are in CelebA's official training part; a model must not have been trained on them"
        notes.append(text)
    return tuple(notes)
