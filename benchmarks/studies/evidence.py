"""Evidence, without annotations, on whether a detector's keypoints follow the object.

It uses about a hundred images and takes less than a minute on a CPU. There are three sources. The detector sees each image
again after a rotation, scaling, shift or mirroring. The keypoints of an image are compared with each other. The generator that
the detector learned from draws images with the keypoints of real images, and the detector predicts the keypoints of these
drawings. Without a generator, pretrained features can tell where the object is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.consistency import consistency
from benchmarks.metrics.keypoint_coverage import (
    Foreground,
    foreground_of_changes,
    foreground_of_masks,
    foreground_within_hull,
    foreground_within_reach,
)
from benchmarks.metrics.keypoint_quality import (
    PERCENT,
    Neighbours,
    explained_by,
    find_duplicates,
    find_neighbours,
    motion_percent,
    movements_above_noise,
    noise_shares,
)
from benchmarks.studies.generated_images import conditioned
from generator.sample_sheet import to_uint8
from generator.stream import PairStream
from kpdetect.coords import apply_affine, to_normalised
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.discovery.object_masks import ObjectMasks
from kpdetect.images.arrays import Image, fit_image
from kpdetect.images.image_files import readable
from kpdetect.inference.predictor import Predictor

IMAGES = 128
"""The largest number of images that are used."""
MOST_NOISE = 10.0
"""Largest value of `Evidence.noise`; a keypoint that never moves has this value."""
NUDGE = 0.1
"""How far all keypoints of a drawing are moved to see which pixels belong to the object, in normalised units."""
NUDGED = 32
"""Number of drawings whose keypoints are moved, at most."""
FINE = 96
"""Side in pixels of the masks in which coverage is measured."""
Values = NDArray[np.float64]
Points = NDArray[np.float64]


NO_GENERATOR = "there is no generator that draws it"
OTHER_FRAME = "it is not known whether the generator draws it as large as the detector sees it"
NOT_LOCATED = "the images do not show where the object ends"


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of the object has keypoints.

    Attributes:
        within_reach: mean share of the object that is within a tenth of the side of a keypoint, 0 to 1; None if unknown.
        within_hull: mean share of the object that is in the keypoints' convex hull, 0 to 1; None if unknown.
        unknown: why the coverage is unknown, a clause; None if it is known.
    """

    within_reach: float | None = None
    within_hull: float | None = None
    unknown: str | None = None


UNKNOWN = Coverage(unknown=NO_GENERATOR)


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
        noise: distance (root of the mean square) between the keypoints detected in a rotated, scaled and shifted image and the
            transformed keypoints of the original, as a share of the keypoint's motion, [K]; at most `MOST_NOISE`.
        movements: independent movements that the keypoints show together above this noise, 0 to 2 K; see
            `movements_above_noise`.
        view_error: distance between the keypoints detected in a rotated, scaled and shifted image and the transformed
            keypoints of the original, as a share of the same distance for keypoints that never move, [K].
        mirror_error: the same for mirrored images, after left and right keypoints are matched, [K].
        redrawn_error: error in drawings that the generator makes with the keypoints of real images, [K]. It is the distance
            between these keypoints and those detected in the drawing, as a share of the distance of these keypoints from their
            mean position. None without a generator.
        coverage: how much of the object has keypoints, in these drawings or in real images.
        known_to_other: share of the motion that another detector's keypoints explain, [K]; None without another detector.
    """

    numbers: tuple[int, ...]
    images: int
    motion: Values
    neighbours: Neighbours
    duplicates: dict[int, int]
    noise: Values
    movements: float
    view_error: Values
    mirror_error: Values
    redrawn_error: Values | None = None
    coverage: Coverage = UNKNOWN
    known_to_other: Values | None = None


def gather_evidence(
    predictor: Predictor,
    stream: PairStream | None,
    paths: list[Path],
    seed: int = 0,
    other: Predictor | None = None,
    coverage: Coverage = UNKNOWN,
) -> Evidence:
    """Gather evidence on at most `IMAGES` images, evenly spread over `paths`.

    Args:
        predictor: the detector.
        stream: the generator that the detector learned from; None without one.
        paths: image files; unreadable files are left out with a warning.
        seed: seed of the rotations, scales and shifts.
        other: another detector for the same kind of images, ideally trained with another seed; None without one.
        coverage: coverage of the object as it is known without a generator.

    Raises:
        InputError: fewer than two images can be read; with another detector fewer than eight.
    """
    images = evenly_spread(paths)
    numbers = np.array(predictor.skeleton.numbers)
    views = consistency(predictor, images, seed)
    keypoints = same_scale(_kept(predictor, images), images)
    distance, motion = views.affine_rms_of[numbers], motion_percent(keypoints)
    noise = np.fmin(np.nan_to_num(noise_shares(distance, motion), nan=MOST_NOISE), MOST_NOISE)
    others = None if other is None else same_scale(_kept(other, images), images)
    redrawn = None
    if stream is not None:
        redrawn, coverage = _redraw(predictor, stream, images, numbers)
    return Evidence(
        numbers=tuple(numbers.tolist()),
        images=len(images),
        motion=motion,
        neighbours=find_neighbours(keypoints),
        duplicates=find_duplicates(keypoints, noise),
        noise=noise,
        movements=movements_above_noise(keypoints, distance / np.sqrt(2)),
        view_error=_share(views.affine_of, views.affine_floor_of)[numbers],
        mirror_error=_share(views.flip_of, views.flip_floor_of)[numbers],
        redrawn_error=redrawn,
        coverage=coverage,
        known_to_other=None if others is None else explained_by(keypoints, others),
    )


def _kept(predictor: Predictor, images: list[Image]) -> Points:
    return np.asarray(predictor(images)[0], np.float64)[:, list(predictor.skeleton.numbers)]


def evenly_spread(paths: Sequence[Path]) -> list[Image]:
    """Read at most `IMAGES` images, evenly spread over `paths`; unreadable files are left out with a warning."""
    return [image for _, image in readable([paths[number] for number in evenly_spaced(len(paths), IMAGES)])]


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
) -> tuple[Values, Coverage]:
    """Measure `Evidence.redrawn_error` and `Evidence.coverage`."""
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
    located = foreground_of_masks(np.concatenate(masks))
    if 2 * _count(located) <= len(located):
        located = foreground_of_changes(_changes(stream, drawn_with[:NUDGED]))
    return _share(missed, still)[numbers], _covered(drawn_with[: len(located), numbers], located)


def _changes(stream: PairStream, keypoints: Points) -> Values:
    """Measure how much each pixel changes when all keypoints move by `NUDGE` right or down, [images, height, width]."""
    first, *moved = (
        np.concatenate([drawing.image.float().cpu().numpy() for drawing in conditioned(stream, keypoints + nudge)])
        for nudge in (np.zeros(2), np.array([NUDGE, 0.0]), np.array([0.0, NUDGE]))
    )
    return np.asarray(sum(np.abs(other - first).mean(axis=1) for other in moved), np.float64)


def coverage_of(predictor: Predictor, objects: ObjectMasks, root: Path) -> Coverage:
    """Measure how much of the object has keypoints in images whose object is known from pretrained features.

    Args:
        predictor: the detector.
        objects: the masks. Images that no longer exist or cannot be read are left out.
        root: folder of the images.
    """
    masks = dict(zip(objects.names, objects.masks, strict=True))
    seen = [(image, masks[name]) for name in objects.names for _, image in readable([root / name])]
    if not seen:
        return UNKNOWN
    images, size = [image for image, _ in seen], (FINE, FINE)
    matrices = [fit_image(image, FINE, objects.crop)[1] for image in images]
    detected = zip(matrices, predictor(images)[0], strict=True)
    keypoints = np.stack([to_normalised(apply_affine(matrix, points), size) for matrix, points in detected])
    fine = np.stack([cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for _, mask in seen])
    return _covered(keypoints[:, list(predictor.skeleton.numbers)], fine > 0)


def _covered(keypoints: Points, located: Foreground) -> Coverage:
    if 2 * _count(located) <= len(located):
        return Coverage(unknown=NOT_LOCATED)
    reach, hull = foreground_within_reach(keypoints, located), foreground_within_hull(keypoints, located)
    return Coverage(within_reach=float(np.nanmean(reach)), within_hull=float(np.nanmean(hull)))


def _count(located: Foreground) -> int:
    """Count the images in which the object is located."""
    return int(located.any(axis=(1, 2)).sum())
