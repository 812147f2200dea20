"""Clusters of dense features that become keypoints: fitted on a sample of images, stored, and found in other images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.dense_features import Whitening
from kpdetect.discovery.matching import Floats, Matches, mutual_matches, with_positions
from kpdetect.discovery.selection import spread_choice, steadiness
from kpdetect.errors import FormatError
from kpdetect.files.atomic import replacing
from kpdetect.files.reading import reading
from kpdetect.images.arrays import Image

MOST_CELLS = 40_000
"""Largest number of cells that are clustered."""
ROTATION, SCALE, SHIFT = 15.0, 0.1, 0.06
"""Largest rotation in degrees, change of scale and shift, a share of the side, of the warps that test clusters."""
Features = Callable[[Image], Floats]
"""A function from images [count, side, side, 3] to features [count, cells, cells, channels]."""


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
        with replacing(path) as temporary, open(temporary, "wb") as file:
            whitening = asdict(self.whitening)
            rest = {name: value for name, value in vars(self).items() if name != "whitening"}
            np.savez(file, key=np.array(key), **whitening, **rest)

    @classmethod
    def read(cls, path: Path, key: str) -> Clusters | None:
        """Read the clusters. Return None if there is no file, or it has another key.

        Raises:
            FormatError: the file is damaged.
        """
        if not path.exists():
            return None
        with reading(path, FormatError, "remove it to fit the clusters again"), np.load(path, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            names = ("mean", "components", "contrast")
            return cls(
                whitening=Whitening(**{name: file[name] for name in names}, threshold=float(file["threshold"])),
                centres=file["centres"],
                keypoints=int(file["keypoints"]),
                position=float(file["position"]),
                temperature=float(file["temperature"]),
                score=file["score"],
            )


def fit_clusters(images: Image, features: Features, keypoints: int, config: CorrespondenceConfig) -> Clusters:
    """Cluster the features of a sample of images, and choose the clusters that become keypoints.

    Args:
        images: uint8 [count, side, side, 3].
        features: function that computes the features of such images.
        keypoints: number of keypoints K.
        config: settings.
    """
    source = np.random.default_rng(config.seed)
    matrices = random_warps(len(images), images.shape[1], source)
    warped = features(np.stack([_warped(image, matrix) for image, matrix in zip(images, matrices, strict=True)]))
    plain = features(images)
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


def _warped(image: Image, matrix: NDArray[np.float64]) -> Image:
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def warped_points(points: Floats, matrices: NDArray[np.float64], side: int, cells: int) -> Floats:
    """Move points [count, clusters, 2] in cells with the map [2, 3] in pixels of each image of `side` pixels."""
    pixels = to_side(points, cells, side)
    moved = np.stack([apply_affine(matrix, each) for matrix, each in zip(matrices, pixels, strict=True)])
    return to_side(moved, side, cells)


def to_side(points: NDArray[np.floating], before: int, after: int) -> Floats:
    """Convert points in pixels of a square of side `before` to pixels of the same square with the side `after`."""
    return ((points + 0.5) * (after / before) - 0.5).astype(np.float32)
