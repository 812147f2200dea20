"""Quality of keypoints without labels: their motion, duplicates, coverage of the object, and agreement of two detectors.

Keypoints are normalised, so that the side of the frame is 2; distances are in percent of the side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError

STILL = 1e-12
"""A variance below this value, in squared normalised units, counts as rounding error."""
Points = NDArray[np.floating]
Values = NDArray[np.float64]
PERCENT = 50.0
"""Percent of the side per normalised unit."""
DUPLICATE_DISTANCE, DUPLICATE_PLAY = 5.0, 2.5
"""Two keypoints are duplicates if their mean distance is below the first, and their offset varies by less than the second.
Both are in percent of the side."""
LEAST_NOISE = 0.05
"""Smallest noise of a coordinate that is believed, in percent of the side."""
ERRORS = {
    (0.8, 1.0): (0.07, 0.18, 0.54),
    (0.7, 0.8): (0.20, 0.42, 0.61),
    (0.6, 0.7): (0.24, 0.52, 0.71),
    (0.5, 0.6): (0.44, 0.61, 0.73),
    (0.3, 0.5): (0.62, 0.78, 0.82),
    (0.0, 0.3): (0.60, 0.74, 1.00),
}
"""For scores from a lower to an upper bound: lowest, median, highest error of the measured detectors, as shares of the mean
shape's error (docs/howto/measure.md)."""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest other keypoint (the neighbour) of each keypoint.

    Attributes:
        nearest: [K], the number of the neighbour; -1 for a single keypoint.
        distance: [K], mean distance to the neighbour, in percent of the side.
        play: [K], variation of the offset to the neighbour: root of the summed variances of x and y, in percent of the side.
        shared: [K], share of the keypoint's motion that the neighbour has too: 1 - (play / motion)^2, not below 0.
    """

    nearest: NDArray[np.int64]
    distance: Values
    play: Values
    shared: Values


def motion_percent(keypoints: Points) -> Values:
    """Measure the motion [K] of keypoints [images, K, 2]: root of the summed variances of x and y, in percent of the side."""
    return np.asarray(PERCENT * np.sqrt(np.asarray(keypoints, np.float64).var(axis=0).sum(axis=-1)), np.float64)


def pairwise(keypoints: Points) -> tuple[Values, Values]:
    """Measure for every two of the keypoints [images, K, 2] their distance, and how much the offset between them varies.

    Returns:
        Mean distance [K, K], and play [K, K]: the root of the summed variances of the offset's x and y. Both are in percent of
        the side.
    """
    offsets = np.asarray(keypoints, np.float64)[:, :, None] - np.asarray(keypoints, np.float64)[:, None]
    distance = PERCENT * np.linalg.norm(offsets, axis=-1).mean(axis=0)
    return distance, PERCENT * np.sqrt(offsets.var(axis=0).sum(axis=-1))


def find_neighbours(keypoints: Points) -> Neighbours:
    """Find the nearest other keypoint of each of the keypoints [images, K, 2]."""
    distance, play = pairwise(keypoints)
    count = len(distance)
    if count < 2:
        none = np.zeros(count)
        return Neighbours(nearest=np.full(count, -1), distance=np.full(count, np.inf), play=none, shared=none)
    apart = distance + np.diag(np.full(count, np.inf))
    nearest = apart.argmin(axis=1)
    every = np.arange(count)
    motion = motion_percent(keypoints)
    ratio = np.divide(play[every, nearest], motion, out=np.ones(count), where=motion > 0)
    return Neighbours(
        nearest=nearest,
        distance=apart[every, nearest],
        play=play[every, nearest],
        shared=np.clip(1 - ratio**2, 0.0, 1.0),
    )


STILL_PERCENT = 0.5
"""A keypoint whose standard deviation is below this share of the side hardly moves."""
RIGID = 2
"""Number of independent movements of an object that only shifts: right and down. They alone give a score of at most 0.71."""


def keypoint_score(movements: float, noise: Values) -> float:
    """Compute the score of keypoints without labels: m independent movements, and their noise.

    The score is sqrt(m / (m + 2)) (1 - n), with n the root of the mean square of the keypoints' noise. The first factor says
    how much of the pose the keypoints show, whatever their number; the second one, how exactly. Both factors, and the 2, were
    chosen by the rank correlation with true errors (docs/log/any-folder.md).

    Args:
        movements: number of independent movements above the noise, at least 0; see `movements_above_noise`.
        noise: [K], the noise of each keypoint as a share of its motion. Values above 1, and NaN, count as 1.

    Returns:
        0 to 1. A perfect score needs many movements without any noise.
    """
    shares = np.fmin(np.nan_to_num(noise, nan=1.0), 1.0)
    return float(np.sqrt(movements / (movements + RIGID)) * (1 - np.sqrt(np.mean(shares**2))))


def errors_of_score(score: float) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Return the entry of `ERRORS` for a score: its bounds, and the lowest, median and highest error."""
    return next(entry for entry in ERRORS.items() if score >= entry[0][0])


def noise_shares(distance: Values, motion: Values) -> Values:
    """Divide the distance [K] between two views of a keypoint (root of the mean square) by its motion [K], both in percent.

    A keypoint that no view shows, or that never moves, has NaN.
    """
    return np.divide(distance, motion, out=np.full(len(motion), np.nan), where=motion > 0)


def movements_above_noise(keypoints: Points, noise: Values) -> float:
    """Count the independent movements that keypoints show together and that exceed their noise.

    The covariance of the 2 K coordinates, in units of each keypoint's noise, has the eigenvalues e_1 to e_2K: the power of the
    independent movements. A movement counts max(0, 1 - 1 / e): nearly 1 far above the noise, 0 at the noise. Keypoints that
    always move together have one movement in each direction, however many they are.

    Args:
        keypoints: [images, K, 2].
        noise: [K], standard deviation of each keypoint's coordinates from one view of an image to the next, in percent of the
            side; NaN for a keypoint that no view shows, which then counts nothing.

    Returns:
        0 to 2 K.
    """
    spread = PERCENT * (np.asarray(keypoints, np.float64) - np.mean(keypoints, axis=0, dtype=np.float64))
    inverse = np.where(np.isnan(noise), 0.0, 1 / np.fmax(noise, LEAST_NOISE))
    relative = (spread * inverse[:, None]).reshape(len(spread), -1)
    power = np.linalg.eigvalsh(relative.T @ relative / len(relative))
    return float(np.sum(1 - 1 / np.maximum(power, 1.0)))


def find_duplicates(keypoints: Points, better: Values) -> dict[int, int]:
    """Find keypoints that always lie close to a better keypoint and move with it.

    Args:
        keypoints: [images, K, 2].
        better: [K], a score of each keypoint, lower is better; the best of several equal keypoints is no duplicate.

    Returns:
        For each duplicate the keypoint that it repeats, which is no duplicate itself.
    """
    distance, play = pairwise(keypoints)
    alike = (distance < DUPLICATE_DISTANCE) & (play < DUPLICATE_PLAY)
    repeated: dict[int, int] = {}
    kept: list[int] = []
    for number in np.argsort(better, kind="stable").tolist():
        original = next((other for other in kept if alike[number, other]), None)
        if original is None:
            kept.append(number)
        else:
            repeated[number] = original
    return dict(sorted(repeated.items()))


def explained_by(keypoints: Points, others: Points, penalty: float = 1e-3) -> Values:
    """Measure the share of each keypoint's motion that another detector's keypoints explain.

    A linear map from all keypoints of `others` to each keypoint is fitted on every second image and measured on the other
    images; then the halves change roles. Number and order of the keypoints of `others` do not matter.

    Args:
        keypoints: [images, K, 2].
        others: [images, K', 2], keypoints of the other detector in the same images.
        penalty: ridge penalty per image, as a share of the mean variance of the coordinates of `others`.

    Returns:
        [K], 1 - squared error / variance: 1 for a fully explained motion, 0 or less for an unexplained one.

    Raises:
        InputError: there are fewer than 8 images, or the two arrays have different numbers of images.
    """
    if len(keypoints) != len(others) or len(keypoints) < 8:
        counts = f"{len(keypoints)} and {len(others)} images"
        raise InputError(f"{counts}; the comparison of two detectors needs the same images for both, at least 8")
    target = np.asarray(keypoints, np.float64).reshape(len(keypoints), -1)
    source = np.asarray(others, np.float64).reshape(len(others), -1)
    missed = np.empty_like(target)
    even = np.arange(len(target)) % 2 == 0
    for fit in (even, ~even):
        missed[~fit] = target[~fit] - ridge_predictions(source[fit], target[fit], source[~fit], penalty)
    error = (missed**2).mean(axis=0).reshape(-1, 2).sum(axis=1)
    variance = target.var(axis=0).reshape(-1, 2).sum(axis=1)
    return 1 - np.divide(error, variance, out=np.ones(len(error)), where=variance > STILL)


def ridge_predictions(source: Values, target: Values, new: Values, penalty: float) -> Values:
    """Fit a ridge regression with a constant from `source` to `target` [rows, columns], and predict the targets of `new`.

    The penalty is per row, as a share of the mean variance of the columns of `source`.
    """
    mean, constant = source.mean(axis=0), target.mean(axis=0)
    centred = source - mean
    shrink = penalty * len(source) * max(float(centred.var(axis=0).mean()), 1e-12)
    weights = np.linalg.solve(centred.T @ centred + shrink * np.eye(centred.shape[1]), centred.T @ (target - constant))
    return np.asarray((new - mean) @ weights + constant, np.float64)
