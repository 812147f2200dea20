"""Choose the clusters that become keypoints: those that are matched steadily, follow the image, and lie apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kpdetect.discovery.matching import Matches

Floats = NDArray[np.float32]


def steadiness(matches: Matches, warped: Matches, expected: Floats, tolerance: float) -> Floats:
    """Score each cluster from 0 to 1: the share of images in which it is matched and follows a known warp of the image.

    Args:
        matches: the matches in the images.
        warped: the matches in the warped images.
        expected: [count, clusters, 2], where the warp moves `matches.points`.
        tolerance: deviation from `expected`, in cells, at which a match counts e^-1.
    """
    deviation = np.linalg.norm(warped.points - expected, axis=-1)
    return (matches.mutual * warped.mutual * np.exp(-deviation / tolerance)).mean(axis=0)  # type: ignore[no-any-return]


def spread_choice(score: Floats, points: Floats, mutual: NDArray[np.bool_], count: int, apart: float) -> NDArray[np.int64]:
    """Choose clusters greedily: the next one has the largest score times its distance to the nearest chosen cluster.

    The distance of two clusters is the mean over the images in which both are matched. It counts at most 1, at `apart` cells.

    Args:
        score: [clusters].
        points: [count, clusters, 2], positions in cells.
        mutual: [count, clusters], whether the cluster is matched.
        count: number of clusters to choose.
        apart: distance in cells from which two clusters do not compete.
    """
    both = mutual[:, :, None] & mutual[:, None]
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    mean = (distance * both).sum(axis=0) / np.maximum(both.sum(axis=0), 1)
    everywhere = distance.mean(axis=0)
    mean = np.where(both.any(axis=0), mean, everywhere)
    chosen = [int(score.argmax())]
    while len(chosen) < min(count, len(score)):
        near = np.clip(mean[:, chosen].min(axis=1) / apart, 0, 1)
        value = (score + 1e-6) * near
        value[chosen] = -1
        chosen.append(int(value.argmax()))
    return np.array(chosen, dtype=np.int64)
