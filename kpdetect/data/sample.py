"""A few images of a folder, for measuring a training before a cache of all images exists."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.data.folder import select_images
from kpdetect.errors import InputError
from kpdetect.images.arrays import CropPolicy, Image, fit_image
from kpdetect.images.image_files import read_image

IMAGES = 64
"""Largest number of images in a sample, by default."""


class Squares(Protocol):
    """The images that a training reads: a cache of all images, or a sample of them.

    Attributes:
        images: uint8 [count, side, side, 3].
        key: text that differs for different images.
    """

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images, uint8 [count, side, side, 3]."""

    @property
    def key(self) -> str:
        """Text that differs for different images."""

    def __len__(self) -> int:
        """Return the number of images."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample of images, spread evenly over a folder.

    Attributes:
        images: uint8 [count, side, side, 3].
        folder_count: number of images in the folder on which a training would be run.
        rate: speed of reading and cropping images one after the other, in images per second.
        key: a fixed text, the same for every sample.
    """

    images: NDArray[np.uint8]
    folder_count: int
    rate: float
    key: str = "sample"

    def __len__(self) -> int:
        return len(self.images)

    @property
    def folder_bytes(self) -> int:
        """The size in bytes of a cache of all images in the folder."""
        return self.folder_count * self.images[0].nbytes


def read_sample(
    folder: Path,
    out: Path,
    side: int,
    policy: CropPolicy,
    exclude: frozenset[str],
    *,
    strict: bool,
    most: int = IMAGES,
) -> Sample:
    """Read images of a folder, spread evenly. Nothing is written.

    Args:
        folder: folder of images, searched recursively.
        out: folder of results. Files in it are not inputs.
        side: side of the square images in pixels.
        policy: crop policy.
        exclude: names to leave out.
        strict: stop at an unreadable image instead of skipping it.
        most: largest number of images.

    Raises:
        InputError: there are no usable images, or, with `strict`, one is unreadable.
    """
    names = select_images(folder, set(exclude), out)
    chosen = [folder / names[number] for number in evenly_spaced(len(names), most)]
    squares: list[Image] = []
    began, failed = time.perf_counter(), None
    for path in chosen:
        try:
            squares.append(fit_image(read_image(path), side, policy)[0])
        except InputError as error:
            if strict:
                raise
            failed = error
    if failed is not None and not squares:
        raise failed
    rate = len(squares) / max(time.perf_counter() - began, 1e-9)
    return Sample(images=np.stack(squares), folder_count=len(names), rate=rate)
