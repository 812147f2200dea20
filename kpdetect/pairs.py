"""The contract between whoever makes image-keypoint pairs and whoever learns from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine, to_normalised
from kpdetect.images.arrays import CropPolicy, Image, fit_image

NOWHERE = 100.0
"""Coordinate of keypoints that nothing is to be learned of, in normalised units: outside of every frame."""


@dataclass(frozen=True, kw_only=True)
class PairBatch:
    """Consecutive pairs.

    Attributes:
        images: uint8 RGB [batch, height, width, 3].
        keypoints: float32 [batch, keypoints, 2], normalised (x, y); values outside [-1, 1] are legal.
        visible: bool [batch, keypoints]; inside the frame and on the foreground.
        masks: uint8 [batch, height, width], 255 on the foreground; None where they are not asked for.
    """

    images: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    visible: NDArray[np.bool_]
    masks: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.images)


def fit_labelled(
    image: Image, points_px: NDArray[np.floating], size: tuple[int, int], crop: CropPolicy
) -> tuple[Image, NDArray[np.float32]]:
    """An image fitted into a square of `size`, and points of it [K, 2], pixels, in the square's normalised units; NaN stays."""
    square, matrix = fit_image(image, size[0], crop)
    return square, to_normalised(apply_affine(matrix, points_px), size).astype(np.float32)


class PairSource(Protocol):
    """Endless pairs addressed by index; pair i depends on the source and i alone."""

    @property
    def keypoints(self) -> int:
        """Number of keypoints per pair."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""

    @property
    def provenance(self) -> dict[str, Any]:
        """JSON-ready: what makes the pairs (checkpoint hash, seed, settings). Equal provenance means equal pairs."""

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Pairs start <= i < stop, in order, in batches."""
