"""A common heading for objects that have all directions: each image is turned so that the objects lie along x, heads one way.

1. The object is separated from the background. The principal axis of its cells gives two turns, which differ by 180 degrees.
2. The features of both turned copies are summed across the axis. This profile along the axis does not depend on which side of
   the object has a shadow or a wall. Images are not mirrored, so left and right parts are not exchanged.
3. The first copy minus the second is one vector for each image. Its sign is a choice of the copy. The signs of the leading
   principal component begin; then each image repeatedly takes the sign that agrees with the sum of all others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.dense_features import Features, Floats, Whitening
from kpdetect.discovery.keyed_arrays import read_arrays, write_arrays
from kpdetect.images.arrays import Image

MOST_REPEATS = 50
"""Largest number of times that the images choose their copies again."""
WIDTH = 0.25
"""Standard deviation of the weights of cells about the centre of the image, a share of the side. They tell the object from
other parts that differ from the background."""


class Turned(NamedTuple):
    """Images that are turned to the common heading.

    Attributes:
        images: uint8 [count, side, side, 3].
        matrices: [count, 2, 3], from pixels of the given images to pixels of the turned ones.
        features: [count, cells, cells, channels] of the turned images.
    """

    images: Image
    matrices: NDArray[np.float64]
    features: Floats


@dataclass(frozen=True, kw_only=True)
class Headings:
    """What turns images to the common heading.

    Attributes:
        outline: separates the object from the background of images as they are.
        whitening: the projection of features of turned copies.
        contrast: [cells, components], the mean difference of the profiles of the right copy and the other one.
    """

    outline: Whitening
    whitening: Whitening
    contrast: Floats

    def __call__(self, images: Image, features: Features) -> Turned:
        """Turn images, uint8 [count, side, side, 3]. `features` computes the features of images."""
        copies, matrices = _copies(images, self.outline.foreground(features(images)))
        seen = _of_copies(copies, features)
        wrong = np.einsum("ncd,cd->n", _difference(self.whitening, seen), self.contrast) < 0
        return _chosen(copies, matrices, seen, wrong)

    def write(self, path: Path, key: str) -> None:
        """Write the headings to a file. `key` tells which images and settings they belong to."""
        parts = {"outline": self.outline, "whitening": self.whitening}
        values = {f"{name}_{each}": value for name, part in parts.items() for each, value in asdict(part).items()}
        write_arrays(path, key, {**values, "contrast": self.contrast})

    @classmethod
    def read(cls, path: Path, key: str) -> Headings | None:
        """Read the headings. Return None if there is no file, or it has another key.

        Raises:
            FormatError: the file is damaged.
        """
        return read_arrays(path, key, cls._of_arrays)

    @classmethod
    def _of_arrays(cls, values: dict[str, Any]) -> Headings:
        outline, whitening = (
            Whitening.of_arrays({each.removeprefix(name): value for each, value in values.items() if each.startswith(name)})
            for name in ("outline_", "whitening_")
        )
        return cls(outline=outline, whitening=whitening, contrast=values["contrast"])


def fit_headings(images: Image, features: Features, config: CorrespondenceConfig) -> tuple[Headings, Turned]:
    """Find the common heading of a sample of images, and turn them to it.

    Args:
        images: uint8 [count, side, side, 3].
        features: function that computes the features of such images.
        config: settings.
    """
    plain = features(images)
    outline = Whitening.of(plain, config.components, config.whitening)
    copies, matrices = _copies(images, outline.foreground(plain))
    del plain  # the features of a sample need much memory
    seen = _of_copies(copies, features)
    whitening = Whitening.of(seen.reshape(-1, *seen.shape[2:]), config.components, config.whitening)
    difference = _difference(whitening, seen)
    sign = agreeing_signs(difference.reshape(len(images), -1))
    contrast = np.einsum("n,ncd->cd", sign, difference) / len(images)
    headings = Headings(outline=outline, whitening=whitening, contrast=contrast.astype(np.float32))
    return headings, _chosen(copies, matrices, seen, sign < 0)


def agreeing_signs(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Choose a sign, 1 or -1, for each of some vectors [count, length] so that they agree: the length of their sum is large."""
    products = vectors.astype(np.float64) @ vectors.T
    sign = np.where(np.linalg.eigh(products)[1][:, -1] < 0, -1.0, 1.0)
    np.fill_diagonal(products, 0)  # an image has no say in its own choice
    for _ in range(MOST_REPEATS):
        previous, sign = sign, np.where(products @ sign < 0, -1.0, 1.0)
        if (sign == previous).all():
            break
    return sign


def principal_axis(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Find the centre (x, y) in cells and the angle in radians of the axis of an object.

    The object is the connected part of a mask [height, width] that lies closest to the centre of the image and is large. An
    empty mask counts as full.
    """
    height, width = mask.shape
    row, column = np.mgrid[:height, :width]
    away = ((row - (height - 1) / 2) / (WIDTH * height)) ** 2 + ((column - (width - 1) / 2) / (WIDTH * width)) ** 2
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    if count > 1:
        weights = np.bincount(parts.ravel(), weights=np.exp(-away / 2).ravel())
        mask = parts == 1 + weights[1:].argmax()
    else:
        mask = np.ones_like(mask)
    points = np.stack([column[mask], row[mask]]).astype(np.float64)
    moved = points - points.mean(axis=1, keepdims=True)
    x, y = np.linalg.eigh(moved @ moved.T)[1][:, -1]
    return points.mean(axis=1), float(np.arctan2(y, x))


def turn_matrix(centre: NDArray[np.float64], angle: float, cells: int, side: int) -> NDArray[np.float64]:
    """Make the map [2, 3] in pixels that turns the direction `angle` to +x and moves `centre`, in cells, to the centre."""
    cosine, sine = np.cos(angle), np.sin(angle)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    pixel = (centre + 0.5) * (side / cells) - 0.5
    return np.concatenate([linear, ((side - 1) / 2 - linear @ pixel)[:, None]], axis=1)


def _copies(images: Image, masks: NDArray[np.bool_]) -> tuple[Image, NDArray[np.float64]]:
    """Turn each image in both ways: copies [count, 2, side, side, 3] and matrices [count, 2, 2, 3]."""
    side, cells = images.shape[1], masks.shape[1]
    axes = [principal_axis(mask) for mask in masks]
    matrices = np.array([[turn_matrix(centre, angle + turn, cells, side) for turn in (0, np.pi)] for centre, angle in axes])
    copies = [[warped_image(image, matrix) for matrix in both] for image, both in zip(images, matrices, strict=True)]
    return np.array(copies, dtype=np.uint8), matrices


def warped_image(image: Image, matrix: NDArray[np.float64]) -> Image:
    """Move an image, uint8 [height, width, 3], by a map [2, 3] in pixels. Beyond the image, its edge pixels are repeated."""
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _of_copies(copies: Image, features: Features) -> Floats:
    seen = features(copies.reshape(-1, *copies.shape[2:]))
    return seen.reshape(*copies.shape[:2], *seen.shape[1:])


def _difference(whitening: Whitening, seen: Floats) -> Floats:
    """Compute the profile [cells, components] along the axis of the first copy minus that of the second one, for each image.

    Only cells on the object and in the central disc count: the corners of a turned image repeat its edge.
    """
    cells = seen.shape[-2]
    axis = np.arange(cells) - (cells - 1) / 2
    disc = np.hypot(axis, axis[:, None]) <= cells / 2
    profile = np.einsum("nkyxc,nkyx->nkxc", whitening(seen), whitening.foreground(seen) & disc)
    return (profile[:, 0] - profile[:, 1]).astype(np.float32)  # type: ignore[no-any-return]


def _chosen(copies: Image, matrices: NDArray[np.float64], seen: Floats, wrong: NDArray[np.bool_]) -> Turned:
    rows, number = np.arange(len(copies)), wrong.astype(int)
    return Turned(copies[rows, number], matrices[rows, number], seen[rows, number])
