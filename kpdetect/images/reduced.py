"""Decode large JPEG files at an eighth, a quarter or half of their size, because a network sees only a small square.

libjpeg then computes fewer values of each 8x8 block of the file. Pixel i of an image decoded at 1/s covers exactly the pixels
s * i to s * i + s - 1 of the whole image, so coordinates stay exact. If s does not divide the side of the image, the last row
and column extend beyond the image. Each pixel of the network's square is a mean over an area, as for an image decoded at full
size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import Affine
from kpdetect.images.arrays import Image, cut_region
from kpdetect.images.decoding import ORIENTATION, decoded, opened, require_single, shown_size

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

Box = tuple[float, float, float, float]
FACTORS = (8, 4, 2)
MARGIN = 4
"""Smallest number of decoded pixels per pixel of the network's square, along each axis. For photographs of 12 megapixels and a
square of 128 pixels, reduced decoding then changes the square no more than rounding to 8 bits does. A value of 2 would save a
tenth of the decoding time."""


@dataclass(frozen=True, kw_only=True)
class Reduced:
    """An image that was decoded at full or reduced size.

    Attributes:
        pixels: uint8 RGB [height, width, 3], rotated as EXIF says.
        factor: number of pixels of the whole image per decoded pixel, along each axis: 1, 2, 4 or 8.
        size: (height, width) of the whole image.
        origin: (left, top) edge of the decoded pixels, in pixels of the whole image. It is (0, 0) for most images. A value is
            negative if a rotation moved a row or column that extends beyond the image to the top or left.
    """

    pixels: Image
    factor: int
    size: tuple[int, int]
    origin: tuple[int, int]

    @property
    def matrix(self) -> Affine:
        """The matrix [2, 3] from pixel coordinates of the whole image to those of the decoded image."""
        shift = [(0.5 - edge) / self.factor - 0.5 for edge in self.origin]
        return np.array([[1 / self.factor, 0, shift[0]], [0, 1 / self.factor, shift[1]]])

    def square(self, box: Box, side: int) -> Image:
        """Resize a part of the image to a square, uint8 [side, side, 3].

        `box` is (left, top, width, height) of the part in pixels of the whole image, measured at pixel edges.
        """
        left, top = ((edge - origin) / self.factor for edge, origin in zip(box[:2], self.origin, strict=True))
        return mean_over_areas(self.pixels, (left, top, box[2] / self.factor, box[3] / self.factor), side)


def read_reduced(picture: Pillow, path: Path, factor_of: Callable[[tuple[int, int]], int]) -> Reduced:
    """Decode an open image, at a reduced size if its format allows this.


    Args:
        picture: image from `opened_and_hashed`.
        path: path of the file, for messages.
        factor_of: function from (height, width) of the whole image to the factor of reduction: 1, 2, 4 or 8. Only JPEG files of
            grey or YCbCr values are reduced.

    Raises:
        InputError: see `kpdetect.images.image_files.read_image`. Errors of `factor_of` pass unchanged.
    """
    require_single(picture, path)
    orientation, size = picture.getexif().get(ORIENTATION, 1), shown_size(picture)
    factor = factor_of(size)
    if factor > 1 and picture.format == "JPEG" and picture.mode in ("RGB", "L"):
        width, height = picture.size
        picture.draft(picture.mode, (width // factor, height // factor))
    pixels = decoded(picture, str(path))
    factor = factor if pixels.shape[:2] != size else 1
    beyond = [factor * here - whole for here, whole in zip(pixels.shape[:2], size, strict=True)]
    origin = (-beyond[1] if orientation in (2, 3, 6, 7) else 0, -beyond[0] if orientation in (3, 4, 7, 8) else 0)
    return Reduced(pixels=pixels, factor=factor, size=size, origin=origin)


def read_at_least(path: Path, longer: int) -> Reduced:
    """Read an image file, at a reduced size if its longer side still has at least `longer` pixels then.

    Raises:
        InputError: see `kpdetect.images.image_files.read_image`.
    """
    with opened(path) as picture:
        return read_reduced(picture, path, lambda size: factor_for((max(size),), longer))


def factor_for(shown: Sequence[float], wanted: float) -> int:
    """Return the largest factor of reduction that leaves at least `wanted` pixels along each side; 1 if no factor does.

    `shown` has the sides, in pixels, of the part of the image that the square shows.
    """
    return next((factor for factor in FACTORS if min(shown) >= factor * wanted), 1)


def mean_over_areas(image: Image, box: Box, side: int) -> Image:
    """Resize a part of an image to a square. Each pixel of the square is the mean over its area of the image.

    The areas need not end at pixel edges. The sum over an area is a difference of values of the image's integral, which is
    bilinear inside each pixel.

    Args:
        image: uint8 [height, width, 3].
        box: (left, top, width, height) of the part in pixels, measured at pixel edges. Beyond the image, its edge pixels are
            repeated.
        side: side of the square in pixels.
    """
    left, top, width, height = box
    first = (int(np.floor(left)), int(np.floor(top)))
    last = (int(np.ceil(left + width)), int(np.ceil(top + height)))
    part = cut_region(image, (first[0], first[1], last[0] - first[0], last[1] - first[1]))
    integral = cv2.integral(np.ascontiguousarray(part), sdepth=cv2.CV_64F)
    steps: NDArray[np.float64] = np.linspace(0, 1, side + 1)
    down, across = top - first[1] + steps * height, left - first[0] + steps * width
    sums = np.diff(np.diff(_between(_between(integral, down, axis=0), across, axis=1), axis=0), axis=1)
    return np.asarray(np.rint(sums * (side * side / (width * height))), dtype=np.uint8)


def _between(values: NDArray[Any], places: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Interpolate `values` linearly at fractional indices `places` along an axis."""
    index = np.minimum(places.astype(np.int64), values.shape[axis] - 2)
    share = (places - index).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return np.asarray(np.take(values, index, axis) * (1 - share) + np.take(values, index + 1, axis) * share)
