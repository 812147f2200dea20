"""Keypoints against each other, without labels: do they move, do they move apart, do they cover the object, do two detectors
agree?

Keypoints are normalised, so that the side of the frame is 2; distances are in percent of the side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError

STILL = 1e-12
"""Variance, in squared normalised units, that is rounding alone."""
Points = NDArray[np.floating]
Values = NDArray[np.float64]
PERCENT = 50.0
"""Percent of the side per normalised unit."""
DUPLICATE_DISTANCE, DUPLICATE_PLAY = 5.0, 2.5
"""Duplicates are on average less than the first apart, and their offset varies by less than the second; in % of the side."""
REACH = 10.0
"""Percent of the side that a keypoint covers around it."""
DECIDED, MOSTLY, FILLED = 0.3, 0.7, 0.8
"""A mask says where the object is if at least the second share of its pixels is further than the first from 0.5, and the object
fills at most the third share of the frame."""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest other keypoint of each.

    Attributes:
        nearest: [K], which one it is; -1 where there is no other.
        distance: [K], mean distance to it in percent of the side.
        play: [K], how much the offset to it varies: root of the summed variances of x and y, in percent of the side.
        shared: [K], the share of the keypoint's motion that is its neighbour's too: 1 - (play / motion)^2, not below 0.
    """

    nearest: NDArray[np.int64]
    distance: Values
    play: Values
    shared: Values


def motion_percent(keypoints: Points) -> Values:
    """How far each keypoint [images, K, 2] moves over the images: root of the summed variances of x and y, in percent [K]."""
    return np.asarray(PERCENT * np.sqrt(np.asarray(keypoints, np.float64).var(axis=0).sum(axis=-1)), np.float64)


def pairwise(keypoints: Points) -> tuple[Values, Values]:
    """Mean distance and play of every two keypoints of [images, K, 2], each [K, K] in percent of the side."""
    offsets = np.asarray(keypoints, np.float64)[:, :, None] - np.asarray(keypoints, np.float64)[:, None]
    distance = PERCENT * np.linalg.norm(offsets, axis=-1).mean(axis=0)
    return distance, PERCENT * np.sqrt(offsets.var(axis=0).sum(axis=-1))


def find_neighbours(keypoints: Points) -> Neighbours:
    """The nearest other keypoint of each of [images, K, 2]."""
    distance, play = pairwise(keypoints)
    count = len(distance)
    if count < 2:
        none = np.zeros(count)
        return Neighbours(nearest=np.full(count, -1), distance=np.full(count, np.inf), play=none, shared=none)
    apart = distance + np.diag(np.full(count, np.inf))
    nearest = apart.argmin(axis=1)
    own = np.arange(count)
    motion = motion_percent(keypoints)
    ratio = np.divide(play[own, nearest], motion, out=np.ones(count), where=motion > 0)
    return Neighbours(
        nearest=nearest,
        distance=apart[own, nearest],
        play=play[own, nearest],
        shared=np.clip(1 - ratio**2, 0.0, 1.0),
    )


def find_duplicates(keypoints: Points, better: Values) -> dict[int, int]:
    """Keypoints that always move together with a better one, a few pixels apart.

    Args:
        keypoints: [images, K, 2].
        better: [K], lower is better; of several keypoints on one place the best one is kept.

    Returns:
        Each duplicate and the keypoint that it repeats, which is none itself.
    """
    distance, play = pairwise(keypoints)
    alike = (distance < DUPLICATE_DISTANCE) & (play < DUPLICATE_PLAY)
    found: dict[int, int] = {}
    kept: list[int] = []
    for number in np.argsort(better, kind="stable").tolist():
        original = next((other for other in kept if alike[number, other]), None)
        if original is None:
            kept.append(number)
        else:
            found[number] = original
    return dict(sorted(found.items()))


def foreground_within_reach(keypoints: Points, masks: NDArray[np.floating], reach: float = REACH) -> Values:
    """Share of each image's foreground that lies within reach of some keypoint.

    Args:
        keypoints: [images, K, 2].
        masks: [images, height, width], how much of each pixel is foreground, 0 to 1.
        reach: in percent of the side.

    Returns:
        [images]; NaN where a mask does not say where the object is: it is undecided, empty, or fills the frame.
    """
    _, height, width = masks.shape
    x, y = (2 * np.arange(width) + 1) / width - 1, (2 * np.arange(height) + 1) / height - 1
    places = np.stack(np.meshgrid(x, y), axis=-1)
    shares = np.full(len(masks), np.nan)
    for number, (points, mask) in enumerate(zip(np.asarray(keypoints, np.float64), masks, strict=True)):
        inside = mask > 0.5
        if (np.abs(mask - 0.5) > DECIDED).mean() >= MOSTLY and 0 < inside.mean() <= FILLED:
            near = np.linalg.norm(places[inside][:, None] - points, axis=-1).min(axis=-1) * PERCENT
            shares[number] = (near <= reach).mean()
    return shares


def explained_by(keypoints: Points, others: Points, penalty: float = 1e-3) -> Values:
    """How much of each keypoint's motion another detector's keypoints know of.

    A linear map from all of `others` to each keypoint is fitted on one half of the images (every second one) and measured on
    the other half, both ways round. Neither number nor order of the others' keypoints matters.

    Args:
        keypoints: [images, K, 2].
        others: [images, K', 2], on the same images.
        penalty: ridge penalty, as a share of the mean variance of the others' coordinates, per image.

    Returns:
        [K]: 1 - squared error / variance, at most 1; 0 or less where the others know nothing.

    Raises:
        InputError: fewer than 8 images, or not of the same images.
    """
    if len(keypoints) != len(others) or len(keypoints) < 8:
        raise InputError(f"{len(keypoints)} and {len(others)} images; agreement of two detectors needs the same 8 or more")
    target = np.asarray(keypoints, np.float64).reshape(len(keypoints), -1)
    source = np.asarray(others, np.float64).reshape(len(others), -1)
    missed = np.empty_like(target)
    even = np.arange(len(target)) % 2 == 0
    for fit in (even, ~even):
        missed[~fit] = target[~fit] - _ridge(source[fit], target[fit], source[~fit], penalty)
    error = (missed**2).mean(axis=0).reshape(-1, 2).sum(axis=1)
    variance = target.var(axis=0).reshape(-1, 2).sum(axis=1)
    return 1 - np.divide(error, variance, out=np.ones(len(error)), where=variance > STILL)


def _ridge(source: Values, target: Values, new: Values, penalty: float) -> Values:
    mean, constant = source.mean(axis=0), target.mean(axis=0)
    centred = source - mean
    shrink = penalty * len(source) * max(float(centred.var(axis=0).mean()), 1e-12)
    weights = np.linalg.solve(centred.T @ centred + shrink * np.eye(centred.shape[1]), centred.T @ (target - constant))
    return np.asarray((new - mean) @ weights + constant, np.float64)
