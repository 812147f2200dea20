"""Coordinates: the definition of pixel and normalised coordinates, and conversions between them.

Convention
    Points are (x, y), x to the right, y down. Sizes are (height, width).
    Normalised coordinates lie in [-1, 1]; -1 and +1 are the outer *edges* of the border pixels.
    Pixel coordinates (`_px`) put an integer at the *centre* of a pixel:  x_px = (x + 1) * width / 2 - 1 / 2.

A worked number: in an image 4 pixels wide, x = 0 is the line between the pixels 1 and 2, so x_px = 1.5;
x = -1 is the left edge, x_px = -0.5. The same normalised point is the same place in the picture at every resolution.

An affine map is a float64 matrix [2, 3] in pixel coordinates: `p_new = matrix[:, :2] @ p + matrix[:, 2]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Size = tuple[int, int]
"""(height, width) in pixels."""
Affine = NDArray[np.float64]
"""Matrix [2, 3] that maps pixel coordinates to pixel coordinates."""
Points = TypeVar("Points", NDArray[np.floating], "torch.Tensor")


def _like(values: tuple[float, float], points: Points) -> Points:
    if isinstance(points, np.ndarray):
        return np.asarray(values, dtype=points.dtype)
    return points.new_tensor(values)  # type: ignore[no-any-return]


def to_pixels(keypoints: Points, size: Size) -> Points:
    """Convert normalised points [..., 2] to pixel coordinates of an image of `size` (height, width)."""
    height, width = size
    half = _like((width / 2, height / 2), keypoints)
    return (keypoints + 1) * half - 0.5  # type: ignore[no-any-return]


def to_normalised(keypoints_px: Points, size: Size) -> Points:
    """Convert pixel points [..., 2] of an image of `size` (height, width) to normalised coordinates."""
    height, width = size
    half = _like((width / 2, height / 2), keypoints_px)
    return (keypoints_px + 0.5) / half - 1  # type: ignore[no-any-return]


def apply_affine(matrix: Affine, points_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map pixel points [..., 2] with `matrix` [2, 3]. Return float64 of the same shape."""
    return np.asarray(points_px, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]


def invert_affine(matrix: Affine) -> Affine:
    """Invert an affine map. Map and inverse are matrices [2, 3]."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -(linear @ matrix[:, 2:])], axis=1)


def similarity_affine(size: Size, scale: float, angle: float, shift_px: NDArray[np.float64]) -> Affine:
    """Compute the affine map that scales and turns an image about its centre and then shifts it.

    Args:
        size: (height, width) of the image.
        scale: factor on lengths.
        angle: angle in radians; a positive angle turns the x axis towards the y axis.
        shift_px: (x, y) in pixels.
    """
    height, width = size
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.concatenate([turn, (middle + shift_px - turn @ middle)[:, None]], axis=1)


def crop_resize_affine(box: tuple[float, float, float, float], size: Size) -> Affine:
    """Compute the affine map from pixels of an image to pixels of its crop `box` after resizing to `size`.

    Args:
        box: left, top, width, height of the crop in pixels, measured at pixel *edges*: (0, 0, W, H) is the whole image.
        size: (height, width) after resizing.
    """
    left, top, width, height = box
    scale_x, scale_y = size[1] / width, size[0] / height
    return np.array(
        [
            [scale_x, 0.0, (0.5 - left) * scale_x - 0.5],
            [0.0, scale_y, (0.5 - top) * scale_y - 0.5],
        ]
    )
