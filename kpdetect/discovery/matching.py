"""Mutual nearest neighbours between the cells of an image and the centres of clusters, with positions between the cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Matches(NamedTuple):
    """The match of each cluster in each image.

    Attributes:
        points: [count, clusters, 2], positions (x, y) in cells. Cell 0 has the centre 0.
        similarity: [count, clusters], cosine of the angle between the cluster's centre and the best cell.
        mutual: [count, clusters], whether the cluster is also the nearest one to its best cell.
    """

    points: Floats
    similarity: Floats
    mutual: NDArray[np.bool_]


def mutual_matches(features: Floats, centres: Floats, temperature: float, reach: int = 1) -> Matches:
    """Find for each cluster the nearest cell of each image, and whether they are mutual nearest neighbours.

    The position is the mean of the cells around the nearest one, weighted by softmax of similarity / temperature.

    Args:
        features: [count, height, width, channels], vectors of length 1.
        centres: [clusters, channels], vectors of length 1.
        temperature: temperature of the softmax.
        reach: cells up to this distance, in x and in y, contribute to the position.
    """
    count, height, width, _ = features.shape
    similarity = (features @ centres.T).reshape(count, height * width, len(centres))
    nearest = similarity.argmax(axis=1)
    image, cluster = np.ogrid[:count, : len(centres)]
    mutual = similarity.argmax(axis=2)[image, nearest] == cluster
    best = similarity[image, nearest, cluster]
    row, column = np.divmod(nearest, width)
    total, moment = np.zeros(best.shape, np.float64), np.zeros((*best.shape, 2), np.float64)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            y, x = row + down, column + right
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            cell = np.clip(y, 0, height - 1) * width + np.clip(x, 0, width - 1)
            weight = np.exp((similarity[image, cell, cluster] - best) / temperature) * inside
            total += weight
            moment += weight[..., None] * np.stack([x, y], axis=-1)
    return Matches((moment / total[..., None]).astype(np.float32), best.astype(np.float32), mutual)


def with_positions(features: Floats, weight: float) -> Floats:
    """Append the position of each cell to features [count, height, width, channels], so that mirrored parts differ.

    The position, (x, y) from -1 to 1, is multiplied by `weight`. The vectors have length 1 again.
    """
    if not weight:
        return features
    height, width = features.shape[1:3]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    place = np.broadcast_to(weight * np.stack([x, y], axis=-1), (*features.shape[:3], 2))
    whole = np.concatenate([features, place], axis=-1).astype(np.float32)
    return whole / np.linalg.norm(whole, axis=-1, keepdims=True)  # type: ignore[no-any-return]
