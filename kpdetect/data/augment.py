"""Augmentation of generated pairs of an image and its keypoints. It makes a detector trained on them work on real images.

One 2x3 matrix warps both the image and its keypoints, so they stay consistent. albumentations changes the pixels: colour, blur,
noise, compression and occlusion. The result for a pair depends only on its seed.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kpdetect.config import StrictConfig
from kpdetect.coords import Affine, apply_affine, similarity_affine, to_normalised, to_pixels
from kpdetect.images.arrays import Image

PIXELS = 1
"""Number that separates the random numbers of the pixels from those of the warp, which have the same seed."""


class AugmentConfig(StrictConfig):
    """Settings of the augmentation of pairs of an image and its keypoints."""

    scale: float = Field(0.25, ge=0, lt=1)
    """Images are scaled by a random factor between 1 / (1 + scale) and 1 + scale."""
    rotation: float = Field(20.0, ge=0, le=180)
    """Images are rotated by a random angle of at most this many degrees."""
    shift: float = Field(0.1, ge=0, le=1)
    """Images are moved along x and y by at most this share of their width and height."""
    photometric: float = Field(0.8, ge=0, le=1)
    """Probability that an image's colours, sharpness and noise are changed."""
    occlusion: float = Field(0.3, ge=0, le=1)
    """Probability that one or two patches of an image are covered."""


class PairAugmenter:
    """Augments single pairs of an image and its keypoints. Equal seeds give equal results in every process."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self.pixels = PixelChanges(config)

    def __call__(self, image: Image, keypoints: NDArray[np.float32], seed: int) -> tuple[Image, NDArray[np.float32]]:
        """Augment an image and its keypoints.

        Args:
            image: uint8 [height, width, 3].
            keypoints: [K, 2], normalised (x, y).
            seed: the result depends only on the inputs and this number.

        Returns:
            Image and keypoints of the same shapes. Keypoints may lie outside the image.
        """
        height, width = image.shape[:2]
        matrix = self.warp(np.random.default_rng(seed), (height, width))
        warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        moved = to_normalised(apply_affine(matrix, to_pixels(keypoints.astype(np.float64), (height, width))), (height, width))
        (varied,) = self.pixels([warped.astype(np.uint8, copy=False)], seed)
        return varied, moved.astype(np.float32)

    def warp(self, source: np.random.Generator, size: tuple[int, int]) -> Affine:
        """Draw a random scaling, rotation and shift about the image's centre, as a matrix [2, 3] on pixel coordinates.

        `size` is (height, width) of the image.
        """
        config, (height, width) = self.config, size
        factor = (1 + config.scale) ** source.uniform(-1, 1)
        angle = np.deg2rad(source.uniform(-config.rotation, config.rotation))
        shift = source.uniform(-config.shift, config.shift, 2) * (width, height)
        return similarity_affine(size, factor, angle, shift)


class PixelChanges:
    """Changes an image's colour, sharpness, noise and occlusion.

    Each thread has its own albumentations transform, because a transform keeps a random state.
    """

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self.local = threading.local()

    def __call__(self, images: Iterable[Image], seed: int) -> list[Image]:
        """Change images, uint8 [height, width, 3], one after the other. One seed serves the whole sequence.

        All transforms draw from the same two sequences of random numbers, one after the other. `set_random_seed` would give
        each transform the same sequence, so that the images with a covered patch were those with changed colours.
        """
        if not hasattr(self.local, "transform"):
            self.local.transform = pixel_transform(self.config)
        source = np.random.default_rng([seed, PIXELS])
        self.local.transform.set_random_state(source, random.Random(int(source.integers(2**63))))
        return [self.local.transform(image=image)["image"] for image in images]


def pixel_transform(config: AugmentConfig) -> Any:
    """Make the albumentations transform that changes pixels. After `set_random_state` its results are reproducible."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # stops a query to the network at import
    import albumentations as A

    colour = A.OneOf(
        [
            A.ColorJitter(brightness=(0.6, 1.4), contrast=(0.6, 1.4), saturation=(0.4, 1.6), hue=(-0.05, 0.05), p=2.0 / 3),
            A.RandomGamma(gamma_limit=(60, 160), p=1.0 / 6),
            A.ToGray(p=1.0 / 6),
        ],
        p=0.8,
    )
    quality = A.OneOf(
        [
            A.GaussianBlur(blur_limit=(3, 5), p=0.25),
            A.GaussNoise(std_range=(0.01, 0.06), p=0.25),
            A.ImageCompression(quality_range=(40, 90), p=0.25),
            A.Sharpen(alpha=(0.2, 0.6), p=0.25),
        ],
        p=0.5,
    )
    cover = A.CoarseDropout(
        num_holes_range=(1, 2),
        hole_height_range=(0.1, 0.3),
        hole_width_range=(0.1, 0.3),
        fill="random_uniform",
        p=config.occlusion,
    )
    return A.Compose([A.Sequential([colour, quality], p=config.photometric), cover])
