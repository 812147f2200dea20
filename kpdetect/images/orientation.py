"""A test without labels: do the objects of a set of images have a common direction?

Each image is turned by 0, 90, 180 and 270 degrees. A classifier learns to name the turn and is tested on other images. Where
objects have a common direction, it names the turn of an unseen image; where they have all directions, it cannot.

Only the central disc of half the side counts. It shows the object, not a floor or walls, which are the same in all images.
Neighbouring files are tested together, because neighbouring frames of a video look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 96
"""Side in pixels at which images are read."""
IMAGES = 200
"""Largest number of images in the test."""
FEWEST = 100
"""Fewest images with which the test decides; fewer count as upright."""
THRESHOLD = 0.6
"""Least share of turns that are named correctly if objects are upright; by chance it is 0.25. Measured values are in
docs/log/any-folder.md."""
FOLDS = 5
STRENGTH = 0.0003
"""Inverse regularisation of the logistic regression."""


@dataclass(frozen=True, kw_only=True)
class OrientationTest:
    """The result of the test.

    Attributes:
        share: share of turns that were named correctly on images the classifier had not seen, 0 to 1; None for fewer than
            `FEWEST` images.
        images: number of images in the test.
    """

    share: float | None
    images: int

    @property
    def any(self) -> bool:
        """Whether the objects have all directions."""
        return self.share is not None and self.share < THRESHOLD


def describe(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe the centre of an image, uint8 [SIDE, SIDE, 3], by small grey pixels and histograms of gradient directions.

    A histogram counts the gradients of one of 4x4 cells in 8 directions, weighted by their lengths.
    """
    quarter, half = SIDE // 4, SIDE // 2
    grey = image[quarter:-quarter, quarter:-quarter].mean(axis=2, dtype=np.float32)
    axis = (np.arange(half) + 0.5) / half * 2 - 1
    disc = np.hypot(axis, axis[:, None]) <= 1
    grey = (grey - grey[disc].mean()) / (grey[disc].std() + 1)
    down, right = np.gradient(grey)
    octant = np.floor(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 8
    cell = np.arange(half) * 4 // half
    place = (cell[:, None] * 4 + cell) * 8 + octant
    lengths = np.bincount(place[disc], weights=np.hypot(down, right)[disc], minlength=128)
    small = cv2.resize(grey * disc, (12, 12), interpolation=cv2.INTER_AREA)
    return np.concatenate([small.ravel(), np.sqrt(lengths / (lengths.sum() + 1e-9))]).astype(np.float32)


def measure_orientation(images: NDArray[np.uint8]) -> OrientationTest:
    """Measure how well turns of images, uint8 [count, SIDE, SIDE, 3] in the order of their files, are recognised."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    count = len(images)
    if count < FEWEST:
        return OrientationTest(share=None, images=count)
    features = np.stack([[describe(np.rot90(image, turn)) for turn in range(4)] for image in images])
    fold, turns, right = np.arange(count) * FOLDS // count, np.arange(4), 0
    for number in range(FOLDS):
        seen, unseen = features[fold != number], features[fold == number]
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=200))
        classifier.fit(seen.reshape(4 * len(seen), -1), np.tile(turns, len(seen)))
        right += int((classifier.predict(unseen.reshape(4 * len(unseen), -1)) == np.tile(turns, len(unseen))).sum())
    return OrientationTest(share=right / (4 * count), images=count)
