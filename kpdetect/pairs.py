"""Pairs of image and keypoints: the interface between sources of pairs and trainings on pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine, to_normalised
from kpdetect.images.arrays import CropPolicy, Image, fit_image

if TYPE_CHECKING:
    from torch import Tensor

NOWHERE = 100.0
"""Coordinate of keypoints that training ignores, in normalised units. It lies outside every image."""


@dataclass(frozen=True, kw_only=True)
class PairBatch:
    """Consecutive pairs.

    Attributes:
        images: uint8 RGB [batch, height, width, 3].
        keypoints: float32 [batch, keypoints, 2], normalised (x, y); values outside [-1, 1] are legal.
        visible: bool [batch, keypoints]; inside the image and on the foreground.
        masks: uint8 [batch, height, width], 255 on the foreground; None if they are not requested.
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
    """Fit an image into a square of `size`, and convert its points [K, 2] from pixels to normalised units of the square."""
    square, matrix = fit_image(image, size[0], crop)
    return square, to_normalised(apply_affine(matrix, points_px), size).astype(np.float32)


class PairSource(Protocol):
    """A source of endless pairs, addressed by index. Pair i depends on the source and i alone."""

    @property
    def keypoints(self) -> int:
        """Number of keypoints per pair."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""

    @property
    def provenance(self) -> dict[str, Any]:
        """Checkpoint hash, seed and settings of the pairs, as values for JSON. Equal provenance means equal pairs."""

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield pairs start <= i < stop, in order, in batches."""


@runtime_checkable
class TensorSource(Protocol):
    """A source of pairs that can leave them on the device where it draws them."""

    def tensors(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the pairs start <= i < stop, which lie in one batch of the source.

        Returns:
            Images uint8 [count, 3, height, width], keypoints float32 [count, K, 2], normalised, and visible bool [count, K].
        """
