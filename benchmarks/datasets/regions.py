"""Regions of image files that a protocol crops.

A region is (left, top, width, height) in whole pixels of its file, measured at pixel edges: (0, 0, W, H) is a whole image.
Coordinates in the file and in the region differ by whole numbers, so that the conversion is exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.definition import Crop
from kpdetect.errors import FormatError


@dataclass(frozen=True, kw_only=True)
class Regions:
    """One region per image.

    Attributes:
        boxes: int64 [images, 4], left, top, width, height in pixels of the file; may extend beyond the file.
        file_sizes: int64 [images, 2], (height, width) of the image files.
    """

    boxes: NDArray[np.int64]
    file_sizes: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(height, width) [images, 2] of the regions."""
        return self.boxes[:, [3, 2]]

    @property
    def corners(self) -> NDArray[np.float64]:
        """(left, top) [images, 1, 2], which is subtracted from a point in the file to get the point in the region."""
        return self.boxes[:, None, :2].astype(np.float64)


def cut_regions(
    crop: Crop, boxes: NDArray[np.floating], file_sizes: NDArray[np.int64], names: Sequence[str], places: Sequence[str]
) -> Regions:
    """Compute the region of each image file that a crop selects.

    Args:
        crop: the crop.
        boxes: [images, 4] left, top, width, height of the boxes on which the crops are centred, in pixels at pixel edges.
        file_sizes: [images, 2] (height, width) of the files.
        names: names of the images, which are the seeds of random shifts and sizes.
        places: place of each image in the annotations, as the beginning of a message.

    Raises:
        FormatError: a box has no area, or a square lies outside of its image.
    """
    extents = np.asarray(boxes, np.float64)[:, 2:]
    longer = extents.max(axis=1)
    sides = np.full(len(boxes), float(crop.side)) if crop.side is not None else crop.scale * longer
    flat = ~(longer > 0)
    if flat.any():
        raise FormatError(f"{places[int(np.argmax(flat))]}: the box of the crop has no area; leave the image out")
    chance = np.array([_chance(name) for name in names])
    sides = np.maximum(np.round(sides * (1 + crop.zoom * chance[:, 0])), 1)[:, None]
    centres = np.asarray(boxes, np.float64)[:, :2] + extents / 2 + crop.shift * sides * chance[:, 1:]
    first = np.round(centres - sides / 2)
    last, limits = first + sides, np.asarray(file_sizes)[:, ::-1]
    outside = ((last <= 0) | (first >= limits)).any(axis=1)
    if outside.any():
        raise FormatError(
            f"{places[int(np.argmax(outside))]}: the box lies outside of the image; correct it, or leave the image out"
        )
    if crop.clip:
        first, last = np.maximum(first, 0), np.minimum(last, limits)
    return Regions(boxes=np.concatenate([first, last - first], axis=1).astype(np.int64), file_sizes=np.asarray(file_sizes))


def _chance(name: str) -> NDArray[np.float64]:
    """Return three numbers in [-1, 1), drawn with the name as the seed."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).uniform(-1, 1, 3)


def whole_files(regions: Regions, rows: NDArray[np.int64]) -> Regions:
    """Replace the regions in `rows` by whole files."""
    boxes = regions.boxes.copy()
    boxes[rows] = np.concatenate([np.zeros((len(rows), 2), np.int64), regions.file_sizes[rows][:, ::-1]], axis=1)
    return Regions(boxes=boxes, file_sizes=regions.file_sizes)


def boxes_around(points_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the box [images, 4] (left, top, width, height) around the visible points [images, points, 2] of each image."""
    first, last = np.nanmin(points_px, axis=1), np.nanmax(points_px, axis=1)
    return np.concatenate([first + 0.5, last - first], axis=1)
