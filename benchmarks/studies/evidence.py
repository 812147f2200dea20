"""Label-free evidence on a detector's keypoints, gathered on a hundred images or so in less than a minute of a CPU.

Sources: the same image seen turned, scaled, shifted and mirrored; keypoints of one image against each other; and, with the
generator that the detector learned from, images drawn with the keypoints of real ones, in which the detector looks again.
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
from generator.sheet import to_uint8
from generator.stream import PairStream
from kpdetect.coords import apply_affine, to_normalised
from kpdetect.images.arrays import Image, fit_image
from kpdetect.images.image_files import readable
from kpdetect.inference.predictor import Predictor

IMAGES = 128
"""Images that are looked at, at most."""
Values = NDArray[np.float64]
Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was measured of K keypoints; shares of a floor are 0 for a perfect keypoint and 1 for one that looks at no image.

    Attributes:
        numbers: the model's number of each keypoint, [K]; dropped ones are not among them.
        images: how many were looked at.
        motion: standard deviation over the images, in percent of the side, [K].
        neighbours: the nearest other keypoint of each, by position in `numbers`.
        duplicates: which keypoint repeats which, by position in `numbers`.
        view_error: how far keypoints of a turned, scaled and shifted image are from where they belong, as a share of the
            same error of keypoints that never move, [K].
        mirror_error: the same of mirrored images, after keypoints are matched, [K].
        redrawn_error: how far the keypoint that is found in an image drawn with the keypoints of a real image is from the one
            it was drawn with, as a share of the distance from its mean place, [K]; None without the generator.
        within_reach: mean share of the drawn foreground that is near a keypoint; None without the generator, or where its masks
            say too seldom where the object is.
        known_to_other: share of the motion that another detector's keypoints explain, [K]; None without one.
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
    """Look at images, at most `IMAGES` of them, evenly spread over `paths`.

    Args:
        predictor: the detector.
        stream: the generator of the same keypoints, if there is one.
        paths: image files; unreadable ones are left out with a warning.
        seed: of the views and of what is drawn.
        other: another detector of the same kind of images, best one of another seed.

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
    """Keypoints [images, K, 2] in pixels, centred and on one scale: the square root of an image's area is 2."""
    extents = np.array([image.shape[1::-1] for image in images], np.float64)[:, None]
    return np.asarray((keypoints_px + 0.5 - extents / 2) / (np.sqrt(extents.prod(axis=-1, keepdims=True)) / 2), np.float64)


def _share(error: Values, floor: Values) -> Values:
    """Error as a share of its floor; 1 where it could not be measured."""
    known = np.isfinite(error) & np.isfinite(floor) & (floor > 0)
    return np.divide(error, floor, out=np.ones(len(error)), where=known)


def _redraw(
    predictor: Predictor, stream: PairStream, images: list[Image], numbers: NDArray[np.int64]
) -> tuple[Values, float | None]:
    """`Evidence.redrawn_error` and `Evidence.within_reach`."""
    size, crop = stream.size, stream.provenance["crop"]
    found, _ = predictor(images)
    matrices = [fit_image(image, size[0], crop)[1] for image in images]
    given = np.stack([to_normalised(apply_affine(each, points), size) for each, points in zip(matrices, found, strict=True)])
    again, masks = [], []
    for drawing in conditioned(stream, given):
        again.append(to_normalised(predictor(list(to_uint8(drawing.image)))[0].astype(np.float64), size))
        masks.append(drawing.mask[:, 0].float().cpu().numpy())
    missed = PERCENT * np.linalg.norm(np.concatenate(again) - given, axis=-1).mean(axis=0)
    still = PERCENT * np.linalg.norm(given - given.mean(axis=0), axis=-1).mean(axis=0)
    reached = foreground_within_reach(given[:, numbers], np.concatenate(masks))
    known = reached[~np.isnan(reached)]
    return _share(missed, still)[numbers], float(known.mean()) if 2 * len(known) > len(reached) else None
