"""Regions of image files: what a protocol's crop leaves of each.

A region is (left, top, width, height) in whole pixels of its file, measured at pixel edges: (0, 0, W, H) is a whole image. So a
point of the file and of the region differ by whole numbers, and either follows from the other exactly.
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
        boxes: int64 [images, 4], left, top, width, height in pixels of the file; beyond it too, unless they were clipped.
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
        """(left, top) [images, 1, 2]: a point of the file minus this is the point of the region."""
        return self.boxes[:, None, :2].astype(np.float64)


def cut_regions(
    crop: Crop, boxes: NDArray[np.floating], file_sizes: NDArray[np.int64], names: Sequence[str], places: Sequence[str]
) -> Regions:
    """The regions that a crop leaves of image files.

    Args:
        crop: the square.
        boxes: [images, 4] left, top, width, height of the boxes it is centred on, in pixels at pixel edges.
        file_sizes: [images, 2] (height, width).
        names: of the images, for the share of chance in the crop.
        places: where each image stands in its annotations, as a message begins.

    Raises:
        FormatError: a box without area, or a square that lies outside of its image.
    """
    extents = np.asarray(boxes, np.float64)[:, 2:]
    longer = extents.max(axis=1)
    sides = np.full(len(boxes), float(crop.side)) if crop.side is not None else crop.scale * longer
    flat = ~(longer > 0)
    if flat.any():
        raise FormatError(f"{places[int(np.argmax(flat))]}: the box has no area, no crop can be cut; leave the image out")
    chance = np.array([_chance(name) for name in names])
    sides = np.maximum(np.round(sides * (1 + crop.zoom * chance[:, 0])), 1)[:, None]
    centres = np.asarray(boxes, np.float64)[:, :2] + extents / 2 + crop.shift * sides * chance[:, 1:]
    first = np.round(centres - sides / 2)
    last, limits = first + sides, np.asarray(file_sizes)[:, ::-1]
    outside = ((last <= 0) | (first >= limits)).any(axis=1)
    if outside.any():
        raise FormatError(f"{places[int(np.argmax(outside))]}: the box lies outside of the image; mend it or leave it out")
    if crop.clip:
        first, last = np.maximum(first, 0), np.minimum(last, limits)
    return Regions(boxes=np.concatenate([first, last - first], axis=1).astype(np.int64), file_sizes=np.asarray(file_sizes))


def _chance(name: str) -> NDArray[np.float64]:
    """Three numbers in [-1, 1) that a name decides."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).uniform(-1, 1, 3)


def whole_files(regions: Regions, rows: NDArray[np.int64]) -> Regions:
    """The same regions, but whole files in `rows`."""
    boxes = regions.boxes.copy()
    boxes[rows] = np.concatenate([np.zeros((len(rows), 2), np.int64), regions.file_sizes[rows][:, ::-1]], axis=1)
    return Regions(boxes=boxes, file_sizes=regions.file_sizes)


def boxes_around(points_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """The boxes [images, 4] from the least to the greatest pixel centre of the visible points [images, points, 2]."""
    first, last = np.nanmin(points_px, axis=1), np.nanmax(points_px, axis=1)
    return np.concatenate([first + 0.5, last - first], axis=1)
