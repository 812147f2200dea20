"""Image-keypoint pairs. Generators and other sources draw them, and detectors are trained on them."""

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
    """A batch of image-keypoint pairs with consecutive numbers.

    Attributes:
        images: uint8 RGB [batch, height, width, 3].
        keypoints: float32 [batch, keypoints, 2], normalised (x, y). A keypoint may lie outside the image, that is [-1, 1].
        visible: bool [batch, keypoints], whether the keypoint lies inside the image and on the foreground.
        masks: uint8 [batch, height, width], 255 on the foreground and 0 elsewhere; None if they were not requested.
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
    """A source of any number of image-keypoint pairs. Pair number i depends only on the source and on i."""

    @property
    def keypoints(self) -> int:
        """Number of keypoints of each pair."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""

    @property
    def provenance(self) -> dict[str, Any]:
        """Hash of the weights, seed and settings, as values for JSON. If two sources have equal ones, their pairs are equal."""

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield the pairs with the numbers start <= i < stop in batches, in this order."""


@runtime_checkable
class TensorSource(Protocol):
    """A source of pairs that can return them as tensors on the device on which it draws them."""

    def tensors(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the pairs with the numbers start <= i < stop. They must belong to one batch of the source.

        Returns:
            Images uint8 [count, 3, height, width], keypoints float32 [count, K, 2], normalised, and visible bool [count, K].
        """
