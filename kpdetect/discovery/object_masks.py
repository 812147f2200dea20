"""Where the object is in some of the images, from pretrained features, for the verdict's coverage.

FOLDER/objects.npz   names of images, and the cells of their squares that belong to the object
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.discovery.dense_features import EDGE
from kpdetect.discovery.keyed_arrays import read_arrays, write_arrays
from kpdetect.images.arrays import CropPolicy

OBJECTS = "objects.npz"
Cells = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ObjectMasks:
    """Masks of the object in N images.

    Attributes:
        names: file names of the images, relative to their folder, N.
        masks: [N, cells, cells], the cells of each square image that belong to the object.
        crop: how an image becomes a square.
    """

    names: tuple[str, ...]
    masks: Cells
    crop: CropPolicy

    def write(self, folder: Path, key: str) -> None:
        """Write the masks into a folder. `key` tells which images and settings they belong to."""
        write_arrays(folder / OBJECTS, key, {"names": np.array(self.names), "masks": self.masks, "crop": np.array(self.crop)})

    @classmethod
    def read(cls, folder: Path, key: str | None = None) -> ObjectMasks | None:
        """Read the masks of a folder. Return None if there are none, or they have another key; None accepts any key.

        Raises:
            FormatError: the file is damaged.
        """
        return read_arrays(folder / OBJECTS, key, cls._of_arrays)

    @classmethod
    def _of_arrays(cls, values: dict[str, Any]) -> ObjectMasks:
        return cls(names=tuple(map(str, values["names"])), masks=values["masks"], crop=str(values["crop"]))  # type: ignore[arg-type]


def largest_piece(foreground: Cells) -> Cells:
    """Return the largest connected piece of a foreground [cells, cells], without the outermost cells.

    The network sees beyond the image there, so these cells often count as object.
    """
    inside, edge = np.zeros_like(foreground), max(1, int(min(foreground.shape) * EDGE))
    inside[edge:-edge, edge:-edge] = foreground[edge:-edge, edge:-edge]
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    if count < 2:
        return inside
    return np.asarray(pieces == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax(), np.bool_)
