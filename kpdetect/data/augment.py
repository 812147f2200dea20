"""Augmentation of generated pairs, so that a detector trained on them works on real images.

One 2x3 matrix moves image and keypoints together, exactly. Changes of colour, blur, noise, compression and occlusion affect
pixels only and come from albumentations. The result depends on the seed of each pair alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kpdetect.config import StrictConfig
from kpdetect.coords import Affine, apply_affine, compose_affine, to_normalised, to_pixels
from kpdetect.images.arrays import Image


class AugmentConfig(StrictConfig):
    """Settings of the augmentation of pairs."""

    scale: float = Field(0.25, ge=0, lt=1)
    """Images are scaled by a factor between 1 / (1 + scale) and 1 + scale."""
    rotation: float = Field(20.0, ge=0, le=180)
    """Images are rotated by at most this many degrees."""
    shift: float = Field(0.1, ge=0, le=1)
    """Images are moved by at most this share of their side."""
    photometric: float = Field(0.8, ge=0, le=1)
    """Probability that colours, sharpness and noise of an image are changed."""
    occlusion: float = Field(0.3, ge=0, le=1)
    """Probability that a patch of an image is covered."""


class PairAugmenter:
    """An augmentation of single pairs. Equal seeds give equal results in every batch, process and thread."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self.pixels = PixelChanges(config)

    def __call__(self, image: Image, keypoints: NDArray[np.float32], seed: int) -> tuple[Image, NDArray[np.float32]]:
        """Augment an image uint8 [height, width, 3] and its keypoints [K, 2] (normalised; they may leave the image)."""
        height, width = image.shape[:2]
        matrix = self.warp(np.random.default_rng(seed), (height, width))
        warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        moved = to_normalised(apply_affine(matrix, to_pixels(keypoints.astype(np.float64), (height, width))), (height, width))
        (varied,) = self.pixels([warped.astype(np.uint8, copy=False)], seed)
        return varied, moved.astype(np.float32)

    def warp(self, source: np.random.Generator, size: tuple[int, int]) -> Affine:
        """Draw a random similarity map about the centre of an image of `size` (height, width)."""
        config, (height, width) = self.config, size
        factor = (1 + config.scale) ** source.uniform(-1, 1)
        angle = np.deg2rad(source.uniform(-config.rotation, config.rotation))
        shift = source.uniform(-config.shift, config.shift, 2) * (width, height)
        turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        to_middle = np.concatenate([np.eye(2), -middle[:, None]], axis=1)
        back = np.concatenate([turn, (middle + shift)[:, None]], axis=1)
        return compose_affine(back, to_middle)


class PixelChanges:
    """Changes of colour, sharpness, noise and occlusion. Each thread has a separate transform, because it has a state."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self.local = threading.local()

    def __call__(self, images: Iterable[Image], seed: int) -> list[Image]:
        """Change images uint8 [height, width, 3] one after the other, with one seed."""
        if not hasattr(self.local, "transform"):
            self.local.transform = pixel_transform(self.config)
        self.local.transform.set_random_seed(seed % 2**32)
        return [self.local.transform(image=image)["image"] for image in images]


def pixel_transform(config: AugmentConfig) -> Any:
    """Make the albumentations transform, which changes pixels only. It is deterministic after `set_random_seed`."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else albumentations asks the network at import
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
