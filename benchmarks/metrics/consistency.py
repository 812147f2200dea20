"""Consistency: compare the keypoints of a warped image with the warped keypoints of the original, without labels.

In a rotated, scaled or shifted image, keypoint k must stay keypoint k. In a mirrored image, left keypoints may become right
keypoints. Half of the images therefore determine the best one-to-one matching, and the other half is measured. Distances are in
percent of the image's side. The floor is the score of keypoints that stay at their mean positions in every image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import Affine, apply_affine, similarity_affine
from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.inference.predictor import Predictor

ROTATION, SCALE, SHIFT = 15.0, 0.1, 0.05
Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """Mean distances in percent of the image's side (the square root of its area).

    Attributes:
        affine: distance under rotations of up to 15 degrees, scales of 1 / 1.1 to 1.1 and shifts of up to 5 %.
        flip: distance in mirrored images, after matching, on the half of the images that is not used for the matching.
        affine_floor, flip_floor: the same distances for keypoints that never move.
        order: for each keypoint, the keypoint that matches it in mirrored images, [K].
        affine_of, flip_of, affine_floor_of, flip_floor_of: the same four distances of each keypoint, [K]; NaN for a keypoint
            that every map moves out of the image.
        affine_rms_of: root of the mean squared distance of each keypoint under rotations, scales and shifts, [K]; NaN as above.
    """

    affine: float
    flip: float
    affine_floor: float
    flip_floor: float
    order: tuple[int, ...]
    affine_of: Points
    flip_of: Points
    affine_floor_of: Points
    flip_floor_of: Points
    affine_rms_of: Points


Find = Callable[[list[Image]], Points]
"""A function from images to keypoints [images, K, 2] in pixels of each image."""


def consistency(predictor: Predictor, images: list[Image], seed: int = 0, kept: Sequence[int] | None = None) -> Consistency:
    """Measure a detector on images, uint8 [height, width, 3] of any sizes.

    Args:
        predictor: the detector.
        images: the images.
        seed: seed of the rotations, scales and shifts.
        kept: numbers of the keypoints to measure; by default all, dropped ones included.

    Raises:
        InputError: there are fewer than two images.
    """
    if len(images) < 2:
        raise InputError(f"{len(images)} images; consistency needs at least 2: give more images")

    def detected(several: list[Image]) -> Points:
        found = np.asarray(predictor(several)[0], np.float64)
        return found if kept is None else found[:, list(kept)]

    plain = detected(images)
    extents = _extents(images)
    share = ((plain + 0.5) / extents).mean(axis=0)

    def still(several: list[Image]) -> Points:
        return share * _extents(several) - 0.5

    flip, order = _under_mirror(detected, images, plain)
    affine, affine_floor = affine_distances(detected, images, plain, seed), affine_distances(still, images, still(images), seed)
    flip_floor, _ = _under_mirror(still, images, still(images))
    return Consistency(
        affine=float(np.nanmean(affine)),
        flip=float(flip.mean()),
        affine_floor=float(np.nanmean(affine_floor)),
        flip_floor=float(flip_floor.mean()),
        order=order,
        affine_of=mean_of_known(affine),
        flip_of=mean_of_known(flip),
        affine_floor_of=mean_of_known(affine_floor),
        flip_floor_of=mean_of_known(flip_floor),
        affine_rms_of=np.sqrt(mean_of_known(affine**2)),
    )


def mean_of_known(distances: Points) -> Points:
    """Compute the mean [K] of the distances [images, K] that are not NaN; NaN for a keypoint without any."""
    known = ~np.isnan(distances)
    total = np.where(known, distances, 0.0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(len(total), np.nan), where=known.any(axis=0))


def affine_distances(find: Find, images: list[Image], plain: Points, seed: int) -> Points:
    """Compute distances [images, K] under random affine maps; NaN where a map moves the keypoint out of the image."""
    source = np.random.default_rng(seed)
    maps = [random_affine(image.shape[:2], source) for image in images]
    warped = find([_warp(image, matrix) for image, matrix in zip(images, maps, strict=True)])
    moved = np.stack([apply_affine(matrix, points) for matrix, points in zip(maps, plain, strict=True)])
    inside = ((moved >= 0) & (moved <= _extents(images) - 1)).all(axis=-1)
    return np.where(inside, 100 * np.linalg.norm(warped - moved, axis=-1) / _sides(images), np.nan)


def _under_mirror(find: Find, images: list[Image], plain: Points) -> tuple[Points, tuple[int, ...]]:
    """Compute distances [images of the second half, K] in mirrored images, and the matching keypoint of each keypoint."""
    mirrored = find([np.ascontiguousarray(image[:, ::-1]) for image in images])
    mirrored[..., 0] = _extents(images)[..., 0] - 1 - mirrored[..., 0]
    half, sides = len(images) // 2, _sides(images)
    order = match(plain[:half] / sides[:half, None], mirrored[:half] / sides[:half, None])
    apart = np.linalg.norm(plain[half:] - mirrored[half:][:, order], axis=-1) / sides[half:]
    return 100 * apart, tuple(order.tolist())


def _extents(images: list[Image]) -> Points:
    """Return (width, height) of the images, [images, 1, 2]."""
    return np.array([image.shape[1::-1] for image in images], np.float64)[:, None]


def _sides(images: list[Image]) -> Points:
    return np.asarray(np.sqrt(_extents(images).prod(axis=-1)))


def match(one: NDArray[np.floating], two: NDArray[np.floating]) -> NDArray[np.int64]:
    """Match keypoints of two sets one to one with the least mean distance.

    Args:
        one: keypoints [images, K, 2].
        two: keypoints [images, K, 2] of the same images.

    Returns:
        [K], the keypoint of `two` that matches each keypoint of `one`.
    """
    from scipy.optimize import linear_sum_assignment

    cost = np.linalg.norm(one[:, :, None] - two[:, None], axis=-1).mean(axis=0)
    return np.asarray(linear_sum_assignment(cost)[1], np.int64)


def random_affine(size: tuple[int, int], source: np.random.Generator) -> Affine:
    """Draw a random rotation, scale and shift about the centre of an image of `size` (height, width), in pixels."""
    height, width = size
    angle, scale = np.deg2rad(source.uniform(-ROTATION, ROTATION)), (1 + SCALE) ** source.uniform(-1, 1)
    return similarity_affine(size, scale, angle, source.uniform(-SHIFT, SHIFT, 2) * [width, height])


def _warp(image: Image, matrix: Affine) -> Image:
    height, width = image.shape[:2]
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))
