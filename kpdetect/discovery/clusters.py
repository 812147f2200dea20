"""Clusters of dense features that become keypoints: fitted on a sample of images, stored, and found in other images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.dense_features import Features, Whitening
from kpdetect.discovery.headings import warped_image
from kpdetect.discovery.keyed_arrays import read_arrays, write_arrays
from kpdetect.discovery.matching import Floats, Matches, mutual_matches, with_positions
from kpdetect.discovery.selection import spread_choice, steadiness
from kpdetect.images.arrays import Image

MOST_CELLS = 40_000
"""Largest number of cells that are clustered."""
ROTATION, SCALE, SHIFT = 15.0, 0.1, 0.06
"""Largest rotation in degrees, change of scale and shift, a share of the side, of the warps that test clusters."""


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Centres of clusters on the object and on the background. The first ones are the keypoints.

    Attributes:
        whitening: the projection of the features.
        centres: [clusters, channels], vectors of length 1.
        keypoints: number of keypoints.
        position: weight of the position as a feature.
        temperature: temperature of the softmax that places keypoints between the cells.
        score: [keypoints], share of the sample in which each keypoint is matched and follows a warp of the image.
    """

    whitening: Whitening
    centres: Floats
    keypoints: int
    position: float
    temperature: float
    score: Floats

    def __call__(self, features: Floats) -> Matches:
        """Find the keypoints in images with the features [count, cells, cells, channels]."""
        placed = with_positions(self.whitening(features), self.position)
        points, similarity, mutual = mutual_matches(placed, self.centres, self.temperature)
        return Matches(points[:, : self.keypoints], similarity[:, : self.keypoints], mutual[:, : self.keypoints])

    def write(self, path: Path, key: str) -> None:
        """Write the clusters to a file. `key` tells which images and settings they belong to."""
        rest = {name: value for name, value in vars(self).items() if name != "whitening"}
        write_arrays(path, key, {**asdict(self.whitening), **rest})

    @classmethod
    def read(cls, path: Path, key: str) -> Clusters | None:
        """Read the clusters. Return None if there is no file, or it has another key.

        Raises:
            FormatError: the file is damaged.
        """
        return read_arrays(path, key, cls._of_arrays)

    @classmethod
    def _of_arrays(cls, values: dict[str, Any]) -> Clusters:
        return cls(
            whitening=Whitening.of_arrays(values),
            centres=values["centres"],
            keypoints=int(values["keypoints"]),
            position=float(values["position"]),
            temperature=float(values["temperature"]),
            score=values["score"],
        )


def fit_clusters(
    images: Image, features: Features, keypoints: int, config: CorrespondenceConfig, known: Floats | None = None
) -> Clusters:
    """Cluster the features of a sample of images, and choose the clusters that become keypoints.

    Args:
        images: uint8 [count, side, side, 3].
        features: function that computes the features of such images.
        keypoints: number of keypoints K.
        config: settings.
        known: features of `images`, if they are known already.
    """
    source = np.random.default_rng(config.seed)
    matrices = random_warps(len(images), images.shape[1], source)
    warped = features(np.stack([warped_image(image, matrix) for image, matrix in zip(images, matrices, strict=True)]))
    plain = features(images) if known is None else known
    whitening = Whitening.of(plain, config.components, config.whitening)
    placed, object_here = with_positions(whitening(plain), config.position), whitening.foreground(plain)
    count = keypoints * config.clusters
    centres = [_centres(placed[object_here], count, config.seed), _centres(placed[~object_here], count // 2, config.seed)]
    every = Clusters(
        whitening=whitening,
        centres=np.concatenate([each for each in centres if len(each)]),
        keypoints=len(centres[0]),
        position=config.position,
        temperature=config.temperature,
        score=np.zeros(len(centres[0]), np.float32),
    )
    matches, moved = every(plain), every(warped)
    expected = warped_points(matches.points, matrices, images.shape[1], config.cells)
    score = steadiness(matches, moved, expected, config.tolerance)
    chosen = spread_choice(score, matches.points, matches.mutual, keypoints, config.apart * config.cells)
    others = np.setdiff1d(np.arange(len(every.centres)), chosen)
    order = np.concatenate([chosen, others])
    return Clusters(
        whitening=whitening,
        centres=every.centres[order],
        keypoints=keypoints,
        position=config.position,
        temperature=config.temperature,
        score=score[chosen],
    )


def _centres(rows: Floats, count: int, seed: int) -> Floats:
    """Compute the centres of clusters of rows [cells, channels], as vectors of length 1."""
    from sklearn.cluster import MiniBatchKMeans

    rows = rows[np.random.default_rng(seed).permutation(len(rows))[:MOST_CELLS]]
    if len(rows) < max(2, count):
        return rows
    means = MiniBatchKMeans(max(2, count), batch_size=2048, n_init=3, max_iter=30, random_state=seed).fit(rows).cluster_centers_
    return (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-8)).astype(np.float32)  # type: ignore[no-any-return]


def random_warps(count: int, side: int, source: np.random.Generator) -> NDArray[np.float64]:
    """Draw affine maps [count, 2, 3] in pixels: a small rotation and scaling about the centre of the image, and a shift."""
    matrices = np.empty((count, 2, 3))
    for matrix in matrices:
        angle, scale = source.uniform(-ROTATION, ROTATION), 1 + source.uniform(-SCALE, SCALE)
        matrix[:] = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
        matrix[:, 2] += source.uniform(-SHIFT, SHIFT, 2) * side
    return matrices


def warped_points(points: Floats, matrices: NDArray[np.float64], side: int, cells: int) -> Floats:
    """Move points [count, clusters, 2] in cells with the map [2, 3] in pixels of each image of `side` pixels."""
    pixels = to_side(points, cells, side)
    moved = np.stack([apply_affine(matrix, each) for matrix, each in zip(matrices, pixels, strict=True)])
    return to_side(moved, side, cells)


def to_side(points: NDArray[np.floating], before: int, after: int) -> Floats:
    """Convert points in pixels of a square of side `before` to pixels of the same square with the side `after`."""
    return ((points + 0.5) * (after / before) - 0.5).astype(np.float32)
