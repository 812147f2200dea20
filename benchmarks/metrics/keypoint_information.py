"""How much keypoints explain, without labels: which keypoints to keep, and how many.

Keypoints explain a measurement of the images if a linear map from the keypoints predicts it. The map is fitted on every second
image and measured on the other images; then the halves change roles. So a keypoint that adds only noise explains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.keypoint_quality import (
    STILL,
    STILL_PERCENT,
    Points,
    Values,
    find_duplicates,
    motion_percent,
    pairwise,
    ridge_predictions,
)
from kpdetect.errors import InputError

COMPONENTS = 50
"""Number of principal components that describe a set of images."""
PENALTY = 1e-2
"""Ridge penalty per image, as a share of the mean variance of the keypoints' coordinates."""
FEWEST_IMAGES = 8


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Keypoints in the order of their use.

    Attributes:
        order: numbers of the keypoints, the best one first, [K].
        explained: [K], the share of the target's variation that the keypoints up to this one explain together.
    """

    order: tuple[int, ...]
    explained: tuple[float, ...]

    def best(self, count: int) -> tuple[int, ...]:
        """Return the numbers of the first `count` keypoints, in ascending order."""
        return tuple(sorted(self.order[:count]))


def image_components(images: NDArray[np.floating], count: int = COMPONENTS) -> Values:
    """Describe each of the grey images [images, height, width] by its first principal components [images, count].

    There are fewer components if the images have fewer pixels or are fewer.
    """
    pixels = np.asarray(images, np.float64).reshape(len(images), -1)
    left, sizes, _ = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, :count] * sizes[:count], np.float64)


def target_of(keypoints: Points, components: Values) -> Values:
    """Join what a good choice of keypoints explains: the images, and the motion of all keypoints.

    Args:
        keypoints: [images, K, 2].
        components: [images, C], see `image_components`.

    Returns:
        [images, C + 2 K]. The components together have variance 1, and so have the keypoints.
    """
    positions = np.asarray(keypoints, np.float64).reshape(len(keypoints), -1)
    return np.concatenate([_unit(components), _unit(positions)], axis=1)


def _unit(columns: Values) -> Values:
    centred = columns - columns.mean(axis=0)
    variance = float(centred.var(axis=0).sum())
    return centred / np.sqrt(variance) if variance > STILL else centred


def explained_share(keypoints: Points, target: Values) -> float:
    """Measure the share of the target's variation that keypoints explain.

    Args:
        keypoints: [images, K, 2].
        target: [images, columns].

    Returns:
        1 - squared error / variance. At most 1; below 0 if the map is worse than the mean.

    Raises:
        InputError: there are fewer than 8 images.
    """
    if len(keypoints) < FEWEST_IMAGES:
        raise InputError(f"{len(keypoints)} images; to compare keypoints, give at least {FEWEST_IMAGES}")
    source = np.asarray(keypoints, np.float64).reshape(len(keypoints), -1)
    variance, error = float(target.var(axis=0).sum()), 0.0
    even = np.arange(len(source)) % 2 == 0
    for fit in (even, ~even):
        missed = target[~fit] - ridge_predictions(source[fit], target[fit], source[~fit], PENALTY)
        error += float((missed**2).sum())
    return 1 - error / len(source) / variance if variance > STILL else 0.0


def rank_keypoints(keypoints: Points, target: Values) -> Ranking:
    """Order keypoints [images, K, 2]: each next one is the one with which the keypoints so far explain most of `target`.

    Raises:
        InputError: there are fewer than 8 images.
    """
    order: list[int] = []
    explained: list[float] = []
    left = list(range(keypoints.shape[1]))
    while left:
        shares = [explained_share(keypoints[:, [*order, number]], target) for number in left]
        best = int(np.argmax(shares))
        order.append(left.pop(best))
        explained.append(shares[best])
    return Ranking(order=tuple(order), explained=tuple(explained))


def rank_apart(keypoints: Points, target: Values) -> Ranking:
    """Order keypoints [images, K, 2] so that those come last that hardly move or lie next to a more informative one.

    Again and again, the keypoint is removed that hardly moves; or else, of the two that lie nearest to each other, the less
    informative one (see `rank_keypoints`). What is removed first comes last. So the first keypoints cover the object, while the
    most informative ones alone crowd where the grey values vary most.

    Raises:
        InputError: there are fewer than 8 images.
    """
    place = {number: at for at, number in enumerate(rank_keypoints(keypoints, target).order)}
    distance, still = pairwise(keypoints)[0], motion_percent(keypoints) < STILL_PERCENT
    left: list[int] = sorted(place)
    removed: list[int] = []
    while left:
        idle = [number for number in left if still[number]]
        near = distance[np.ix_(left, left)] + np.diag(np.full(len(left), np.inf))
        nearest = [left[at] for at in np.unravel_index(near.argmin(), near.shape)]
        removed.append(max(idle or nearest, key=place.__getitem__))
        left.remove(removed[-1])
    order = tuple(reversed(removed))
    explained = (explained_share(keypoints[:, order[:count]], target) for count in range(1, len(order) + 1))
    return Ranking(order=order, explained=tuple(explained))


def count_distinct(keypoints: Points, ranking: Ranking) -> int:
    """Count the first keypoints of a ranking of which none hardly moves and none is a duplicate of a better one; at least 1.

    Args:
        keypoints: [images, K, 2], normalised.
        ranking: order of the K keypoints; see `rank_apart`.
    """
    still, order = motion_percent(keypoints) < STILL_PERCENT, list(ranking.order)
    moving = next((count for count, number in enumerate(order) if still[number]), len(order))
    for count in range(moving, 1, -1):
        if not find_duplicates(keypoints[:, order[:count]], np.arange(count, dtype=np.float64)):
            return count
    return 1


def lost_without(keypoints: Points, target: Values) -> Values:
    """Measure how much less of `target` the keypoints [images, K, 2] explain when each of them is taken away, [K].

    Raises:
        InputError: there are fewer than 8 images.
    """
    whole, count = explained_share(keypoints, target), keypoints.shape[1]
    if count == 1:
        return np.array([whole])
    return np.array([whole - explained_share(np.delete(keypoints, number, axis=1), target) for number in range(count)])
