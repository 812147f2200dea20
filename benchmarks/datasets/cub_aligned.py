"""CUB-200-2011 as cropped, mirrored and released by Lorenz et al. (2019): cub_loren19.

    images/train/..., images/test/...    300x300 pixels, all birds facing one way
    train.csv, test.csv                  idx,fname,fname_original,category
    train_kp.npy, test_kp.npy            [images, 15, 3]: x and y as shares of the image's sides, and 1 where visible

Coordinates in pixels are these shares, multiplied by the image's size, as the release describes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable, read_names
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble, image_sizes
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash

PARTS = ("train", "test")
COLUMN = "fname"


def load_cub_aligned(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the 15 parts.

    Raises:
        InputError: a file or an image is missing.
        FormatError: a file is damaged; the message names it and the line.
    """
    images: list[str] = []
    places: list[str] = []
    shares, counts = [], []
    for part in PARTS:
        path = folder / f"{part}.csv"
        names, lines = read_names(path, COLUMN, "idx,fname,fname_original,category")
        shares.append(_read_shares(folder / f"{part}_kp.npy", len(names), len(protocol.landmarks)))
        images += names
        places += [f"{path}, line {line}" for line in lines]
        counts.append(len(names))
    values = np.concatenate(shares)
    kept = np.flatnonzero(values[..., 2].any(axis=1))
    names = [images[row] for row in kept]
    sizes = image_sizes(folder, names)
    points = np.where(values[kept, :, 2:] == 1, values[kept, :, :2] * sizes[:, None, ::-1], np.nan)
    table = AnnotationTable(
        path=folder,
        images=names,
        landmarks=protocol.landmarks,
        points_px=points,
        lines=[],
        places=[places[row] for row in kept],
    )
    facts = SourceFacts(
        name="cub-aligned",
        folder=folder,
        lists={f"{part}.csv": file_hash(folder / f"{part}.csv") for part in PARTS},
        notes=(f"{hidden:,} images without a visible part are left out",) if (hidden := len(images) - len(kept)) else (),
    )
    fitted = kept < counts[0]
    return assemble(table, protocol, facts, fit=np.flatnonzero(fitted), test=np.flatnonzero(~fitted), sizes=sizes)


def _read_shares(path: Path, images: int, parts: int) -> NDArray[np.float64]:
    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or 'damaged'}); expected the file of the points") from error
    except ValueError as error:
        raise FormatError(f"{path}: not an array of numbers; download it again") from error
    if values.shape != (images, parts, 3):
        raise FormatError(f"{path}: array of {values.shape}; expected {(images, parts, 3)}, a row per line of the table")
    values = values.astype(np.float64)
    fine = np.isin(values[..., 2], (0, 1)).all(axis=1)
    shown = values[..., 2:] == 1
    fine &= np.where(shown, (values[..., :2] >= 0) & (values[..., :2] <= 1), True).all(axis=(1, 2))
    if not fine.all():
        row = int(np.argmin(fine))
        raise FormatError(f"{path}, entry {row}: visible is not 0 or 1, or a visible point is not within 0 and 1")
    return values
