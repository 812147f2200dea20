"""The whole search in an image: turn it to the common heading if objects have all directions, then match the clusters.

FOLDER/clusters.npz   the clusters
FOLDER/headings.npz   what turns the images, only with `CorrespondenceConfig.headings`
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpdetect.coords import apply_affine, invert_affine
from kpdetect.discovery.clusters import Clusters, fit_clusters, to_side
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.dense_features import Features
from kpdetect.discovery.headings import Headings, fit_headings
from kpdetect.discovery.matching import Matches
from kpdetect.images.arrays import Image

CLUSTERS, HEADINGS = "clusters.npz", "headings.npz"
FIRST_LOOK = 48
"""Number of images on which the clusters of the first sheet are fitted. The sheet of the whole sample replaces it."""


def feature_counts(config: CorrespondenceConfig) -> tuple[int, int]:
    """Count how often features are computed for each image of the sample, and for each image that is matched."""
    return (4, 3) if config.headings else (2, 1)


def first_look(sample: int) -> int:
    """Return the number of images for the first sheet; 0 if the sample has so few images that its own sheet comes as soon."""
    return FIRST_LOOK if sample > 2 * FIRST_LOOK else 0


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """Finds keypoints in square images.

    Attributes:
        clusters: the clusters that are matched.
        headings: what turns the images first; None if they stay as they are.
    """

    clusters: Clusters
    headings: Headings | None

    def __call__(self, squares: Image, features: Features) -> Matches:
        """Find the keypoints of images, uint8 [count, side, side, 3]. The points are in pixels of the images."""
        side = squares.shape[1]
        matrices = np.tile(np.eye(2, 3), (len(squares), 1, 1))
        if self.headings is None:
            seen = features(squares)
        else:
            _, matrices, seen = self.headings(squares, features)
        matches = self.clusters(seen)
        places = to_side(matches.points, seen.shape[1], side)
        points = [apply_affine(invert_affine(matrix), place) for matrix, place in zip(matrices, places, strict=True)]
        return matches._replace(points=np.stack(points).astype(np.float32))

    def write(self, folder: Path, key: str) -> None:
        """Write the matcher into a folder. `key` tells which images and settings it belongs to."""
        if self.headings is not None:
            self.headings.write(folder / HEADINGS, key)
        self.clusters.write(folder / CLUSTERS, key)

    @classmethod
    def read(cls, folder: Path, key: str, config: CorrespondenceConfig) -> Matcher | None:
        """Read the matcher. Return None if there is none, or it has another key.

        Raises:
            FormatError: a file is damaged.
        """
        headings = Headings.read(folder / HEADINGS, key) if config.headings else None
        clusters = Clusters.read(folder / CLUSTERS, key)
        if clusters is None or (config.headings and headings is None):
            return None
        return cls(clusters=clusters, headings=headings)


def fit_matcher(squares: Image, features: Features, keypoints: int, config: CorrespondenceConfig) -> tuple[Matcher, Image]:
    """Fit a matcher to a sample of images. Return it and the images, which are turned if there are headings.

    Args:
        squares: uint8 [count, side, side, 3].
        features: function that computes the features of such images.
        keypoints: number of keypoints K.
        config: settings.
    """
    headings, known = None, None
    if config.headings:
        headings, (squares, _, known) = fit_headings(squares, features, config)
    return Matcher(clusters=fit_clusters(squares, features, keypoints, config, known), headings=headings), squares
