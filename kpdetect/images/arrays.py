"""Crop and resize images in memory to the square that a network sees."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import Affine, crop_resize_affine
from kpdetect.errors import InputError
from kpdetect.images.decoding import MAX_PIXELS

Image = NDArray[np.uint8]

CropPolicy = Literal["centre", "pad", "stretch"]

MAX_PADDED = 4 * MAX_PIXELS
"""Largest number of pixels of an image part that extends beyond the image, such as the padded square around a panorama."""


def fit_box(size: tuple[int, int], policy: CropPolicy) -> tuple[float, float, float, float]:
    """Compute the part of an image that the square shows.

    Args:
        size: (height, width) of the image.
        policy: `centre`, `pad` or `stretch`.

    Returns:
        (left, top, width, height) of the part in pixels, measured at pixel edges.
    """
    height, width = size
    if policy == "stretch":
        return 0.0, 0.0, float(width), float(height)
    side = min(height, width) if policy == "centre" else max(height, width)
    return float((width - side) // 2), float((height - side) // 2), float(side), float(side)


def fit_image(image: Image, size: int, policy: CropPolicy = "centre") -> tuple[Image, Affine]:
    """Crop, pad or stretch an image to a square.

    Args:
        image: uint8 [height, width, 3].
        size: side of the square in pixels.
        policy: `centre`, `pad` or `stretch`.

    Returns:
        The square, uint8 [size, size, 3], and the matrix [2, 3] from pixel coordinates of the image to those of the square.
    """
    box = fit_box(image.shape[:2], policy)
    return fit_region(image, box, size), crop_resize_affine(box, (size, size))


def fit_region(image: Image, box: tuple[float, float, float, float], size: int) -> Image:
    """Resize a part of an image to a square. Beyond the image, its edge pixels are repeated.

    Args:
        image: uint8 [height, width, 3].
        box: (left, top, width, height) in whole pixels, measured at pixel edges. The part may extend beyond the image.
        size: side of the square in pixels.

    Raises:
        InputError: the part has more than `MAX_PADDED` pixels.
    """
    left, top, width, height = (round(value) for value in box)
    if width * height > MAX_PADDED and width * height > image.shape[0] * image.shape[1]:
        shape = f"{image.shape[1]} x {image.shape[0]}"
        raise InputError(
            f"{width} x {height} pixels around an image of {shape}, but the limit is {MAX_PADDED:,}; crop the image first"
        )
    part = cut_region(image, (left, top, width, height))
    shrinking = width > size or height > size
    square = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    return np.ascontiguousarray(square, dtype=np.uint8)


def cut_region(image: Image, box: tuple[int, int, int, int]) -> Image:
    """Cut a part, uint8 [height, width, 3], out of an image. Beyond the image, its edge pixels are repeated.

    Args:
        image: uint8 [height, width, 3].
        box: (left, top, width, height) in pixels, measured at pixel edges. The part may extend beyond the image.
    """
    left, top, width, height = box
    if left >= 0 and top >= 0 and left + width <= image.shape[1] and top + height <= image.shape[0]:
        return image[top : top + height, left : left + width]
    rows = np.clip(np.arange(top, top + height), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + width), 0, image.shape[1] - 1)
    return image[rows[:, None], columns]


def as_image(item: Image | Any) -> Image:
    """Return an image that a caller has given, unchanged.

    Raises:
        InputError: it is not a uint8 array [height, width, 3] with pixels.
    """
    if isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim == 3 and item.shape[2] == 3 and item.size:
        return item
    raise InputError(f"image: got {kind_of(item)}, expected uint8 RGB [height, width, 3] or a path; {_advice(item)}")


def kind_of(item: Any) -> str:
    """Describe the type of an object, and the shape of an array, for messages."""
    return f"{item.dtype} {list(item.shape)}" if isinstance(item, np.ndarray) else type(item).__name__


def _advice(item: Any) -> str:
    """Return advice on how to convert an input that is not an image."""
    if not isinstance(item, np.ndarray):
        convertible = hasattr(item, "convert")  # an image of PIL
        return "give np.asarray(image.convert('RGB'))" if convertible else "give an array or the path of an image file"
    if item.dtype.kind not in "buif":
        return "give several images or paths as a list" if item.ndim < 2 else "give image.astype(np.uint8)"
    if not item.size:
        return "it has no pixels; leave it out"
    if item.dtype.kind == "f":
        return "if its values are in [0, 1], give (image * 255).round().astype(np.uint8)"
    if item.dtype != np.uint8:
        return "scale it to 0 to 255 and give image.astype(np.uint8)"
    if item.ndim == 2:
        return "if it is a grey image, give np.repeat(image[..., None], 3, axis=2)"
    if item.ndim == 3 and item.shape[2] in (1, 4):
        return "give np.repeat(image, 3, axis=2)" if item.shape[2] == 1 else "leave alpha out: give image[..., :3]"
    return "transpose it to [height, width, channels]"


def scaled_down(image: Image, scale: float) -> Image:
    """Scale an image down by a factor of at most 1, to at least one pixel in each direction."""
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
