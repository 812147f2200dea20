"""Evidence, without annotations, on whether a detector's keypoints follow the object.

It uses about a hundred images and takes less than a minute on a CPU. There are three sources. The detector sees each image
again after a rotation, scaling, shift or mirroring. The keypoints of an image are compared with each other. The generator that
the detector learned from draws images with the keypoints of real images, and the detector predicts the keypoints of these
drawings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.consistency import consistency
from benchmarks.metrics.keypoint_quality import (
    PERCENT,
    Neighbours,
    explained_by,
    find_duplicates,
    find_neighbours,
    foreground_within_reach,
    motion_percent,
)
from benchmarks.studies.generated_images import conditioned
from generator.sample_sheet import to_uint8
from generator.stream import PairStream
from kpdetect.coords import apply_affine, to_normalised
from kpdetect.images.arrays import Image, fit_image
from kpdetect.images.image_files import readable
from kpdetect.inference.predictor import Predictor

IMAGES = 128
"""The largest number of images that are used."""
Values = NDArray[np.float64]
Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Measurements of K keypoints.

    Errors are divided by the error of a keypoint that does not depend on the image (the floor). So 0 is a perfect keypoint, and
    1 a keypoint that does not depend on the image.

    Attributes:
        numbers: the model's number of each keypoint, [K]; keypoints that the user has dropped are left out.
        images: number of images that were used.
        motion: standard deviation over the images, in percent of the side, [K].
        neighbours: the nearest other keypoint of each keypoint, by position in `numbers`.
        duplicates: for each duplicate the keypoint that it repeats, by position in `numbers`.
        view_error: distance between the keypoints detected in a rotated, scaled and shifted image and the transformed
            keypoints of the original, as a share of the same distance for keypoints that never move, [K].
        mirror_error: the same for mirrored images, after left and right keypoints are matched, [K].
        redrawn_error: error in drawings that the generator makes with the keypoints of real images, [K]. It is the distance
            between these keypoints and those detected in the drawing, as a share of the distance of these keypoints from their
            mean position. None without a generator.
        within_reach: mean share of the foreground of these drawings that is near a keypoint, 0 to 1; None without a generator,
            or if at most half of its masks show clearly where the object is.
        known_to_other: share of the motion that another detector's keypoints explain, [K]; None without another detector.
    """

    numbers: tuple[int, ...]
    images: int
    motion: Values
    neighbours: Neighbours
    duplicates: dict[int, int]
    view_error: Values
    mirror_error: Values
    redrawn_error: Values | None = None
    within_reach: float | None = None
    known_to_other: Values | None = None


def gather_evidence(
    predictor: Predictor, stream: PairStream | None, paths: list[Path], seed: int = 0, other: Predictor | None = None
) -> Evidence:
    """Gather evidence on at most `IMAGES` images, evenly spread over `paths`.

    Args:
        predictor: the detector.
        stream: the generator that the detector learned from; None without one.
        paths: image files; unreadable files are left out with a warning.
        seed: seed of the rotations, scales and shifts.
        other: another detector for the same kind of images, ideally trained with another seed; None without one.

    Raises:
        InputError: fewer than two images can be read; with another detector fewer than eight.
    """
    rows = np.unique(np.linspace(0, len(paths) - 1, min(IMAGES, len(paths))).round().astype(int))
    images = [image for _, image in readable([paths[row] for row in rows])]
    numbers = np.array(predictor.skeleton.numbers)
    views = consistency(predictor, images, seed)
    keypoints = same_scale(np.asarray(predictor(images)[0], np.float64), images)[:, numbers]
    view_error = _share(views.affine_of, views.affine_floor_of)[numbers]
    others = None if other is None else same_scale(np.asarray(other(images)[0], np.float64), images)
    redrawn, reached = (None, None) if stream is None else _redraw(predictor, stream, images, numbers)
    return Evidence(
        numbers=tuple(numbers.tolist()),
        images=len(images),
        motion=motion_percent(keypoints),
        neighbours=find_neighbours(keypoints),
        duplicates=find_duplicates(keypoints, view_error),
        view_error=view_error,
        mirror_error=_share(views.flip_of, views.flip_floor_of)[numbers],
        redrawn_error=redrawn,
        within_reach=reached,
        known_to_other=None if others is None else explained_by(keypoints, others),
    )


def same_scale(keypoints_px: Points, images: list[Image]) -> Points:
    """Centre keypoints [images, K, 2] in pixels and scale them so that the square root of each image's area is 2."""
    extents = np.array([image.shape[1::-1] for image in images], np.float64)[:, None]
    return np.asarray((keypoints_px + 0.5 - extents / 2) / (np.sqrt(extents.prod(axis=-1, keepdims=True)) / 2), np.float64)


def _share(error: Values, floor: Values) -> Values:
    """Divide each error by its floor; the result is 1 where the error could not be measured."""
    known = np.isfinite(error) & np.isfinite(floor) & (floor > 0)
    return np.divide(error, floor, out=np.ones(len(error)), where=known)


def _redraw(
    predictor: Predictor, stream: PairStream, images: list[Image], numbers: NDArray[np.int64]
) -> tuple[Values, float | None]:
    """Measure `Evidence.redrawn_error` and `Evidence.within_reach`."""
    size, crop = stream.size, stream.provenance["crop"]
    matrices = [fit_image(image, size[0], crop)[1] for image in images]
    detected = zip(matrices, predictor(images)[0], strict=True)
    drawn_with = np.stack([to_normalised(apply_affine(matrix, points), size) for matrix, points in detected])
    again, masks = [], []
    for drawing in conditioned(stream, drawn_with):
        again.append(to_normalised(predictor(list(to_uint8(drawing.image)))[0].astype(np.float64), size))
        masks.append(drawing.mask[:, 0].float().cpu().numpy())
    missed = PERCENT * np.linalg.norm(np.concatenate(again) - drawn_with, axis=-1).mean(axis=0)
    still = PERCENT * np.linalg.norm(drawn_with - drawn_with.mean(axis=0), axis=-1).mean(axis=0)
    reached = foreground_within_reach(drawn_with[:, numbers], np.concatenate(masks))
    known = reached[~np.isnan(reached)]
    return _share(missed, still)[numbers], float(known.mean()) if 2 * len(known) > len(reached) else None
