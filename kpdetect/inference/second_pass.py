"""Choose the box of the second pass, around the keypoints of the first pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.inference.config import PredictConfig
from kpdetect.inference.predictor import Box, Fitted
from kpdetect.training.model_description import DetectorDescription

TRUSTED = 0.3
"""Keypoints of at least this confidence decide the box of the second pass, if there are three of them."""
MIN_BOX = 0.1
"""Smallest box of the second pass, as a share of the first pass's box. Keypoints in a smaller box coincide and are wrong."""
MAX_ZOOM = 1.5
"""Largest box of the second pass that is framed as in training, as a multiple of the first pass's box."""
MIN_SPREAD = 0.05
"""Smallest spread of keypoints in training, in normalised units, for which they tell the size of the object."""
LAYOUT = "keypoint_layout"
"""Key of the layout of the keypoints in the description inside a detector's weights file, see `Layout`."""
UNKNOWN_MARGIN = 0.4
"""Border of the second pass's box if the weights file does not record the layout."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of the keypoints in training images, in normalised coordinates.

    Attributes:
        places: [K, 2], mean place of each keypoint over the images.
        distances: [K, K], distance between each two keypoints of an image, as root mean square over the images. If objects turn
            or differ, the mean places are closer together than the keypoints of any image, but these distances are not.
    """

    places: NDArray[np.float64]
    distances: NDArray[np.float64]

    @classmethod
    def read(cls, description: DetectorDescription) -> Layout | None:
        """Read the layout from the description inside a detector's weights file. Return None if it holds no layout."""
        layout = description.keypoint_layout
        return None if layout is None else cls(places=np.array(layout.places), distances=np.array(layout.distances))

    def of(self, keypoints: NDArray[np.integer] | NDArray[np.bool_]) -> Layout:
        """Select the layout of some keypoints."""
        return Layout(places=self.places[keypoints], distances=self.distances[keypoints][:, keypoints])

    @property
    def spread(self) -> float:
        """Root mean square distance of an image's keypoints from their mean, in normalised units."""
        return float(np.sqrt((self.distances**2).mean() / 2))


def border(config: PredictConfig, description: DetectorDescription) -> float | None:
    """Return the border of the second pass's box, as a share of the longer side of the keypoints' bounding box.

    None means that the box frames the keypoints as the training images did.

    Args:
        config: settings of the prediction.
        description: description inside the detector's weights file.
    """
    if config.margin is not None:
        return config.margin
    return None if config.two_pass and description.keypoint_layout is not None else UNKNOWN_MARGIN


def second_box(
    picture: Fitted,
    keypoints_px: NDArray[np.float32],
    confidence: NDArray[np.float32],
    margin: float | None,
    layout: Layout | None,
) -> Box:
    """Return the box (left, top, width, height; pixel edges) of the second pass.

    Args:
        picture: the square of the first pass.
        keypoints_px: [K, 2], keypoints of the first pass, in the image's pixels. Keypoints outside the image are moved to its
            edge.
        confidence: [K]. If three or more keypoints reach the confidence `TRUSTED`, and they are not a cluster of neighbours,
            the box is computed from them alone.
        margin: border of the box, from `border`.
        layout: layout of these keypoints in training images; required if `margin` is None.
    """
    height, width = picture.size
    inside = np.clip(keypoints_px.astype(np.float64), -0.5, np.array([width, height]) - 0.5)
    trusted = confidence >= TRUSTED
    chosen = trusted if trusted.sum() >= 3 else np.ones_like(trusted)
    if margin is not None:
        return keypoint_box(picture.edges, inside[chosen], margin)
    assert layout is not None  # else `border` returns a margin
    if layout.of(chosen).spread < layout.spread / 2:
        chosen = np.ones_like(trusted)
    return framed_box(picture.edges, inside[chosen], layout.of(chosen))


def framed_box(edges: NDArray[np.float64], keypoints_px: NDArray[np.float64], layout: Layout) -> Box:
    """Return the box in which keypoints [count, 2] have the spread and the mean of the keypoints in training.

    The box is the first one, with `edges` [[left, top], [right, bottom]], moved and scaled equally in both directions. If the
    size of the object cannot be computed from the keypoints, the box is only moved.
    """
    low, high = edges
    keypoints = 2 * (keypoints_px + 0.5 - low) / (high - low) - 1
    mean, usual, expected = keypoints.mean(axis=0), layout.places.mean(axis=0), layout.spread
    zoom = 1.0 if expected < MIN_SPREAD else min(max(spread(keypoints) / expected, MIN_BOX), MAX_ZOOM)
    left, top = low + (mean - zoom * (1 + usual) + 1) / 2 * (high - low)
    width, height = zoom * (high - low)
    return float(left), float(top), float(width), float(height)


def spread(keypoints: NDArray[np.float64]) -> float:
    """Return the root mean square distance of keypoints [count, 2] from their mean, in their unit; see `Layout.spread`."""
    return float(np.sqrt(((keypoints - keypoints.mean(axis=0)) ** 2).sum(axis=1).mean()))


def keypoint_box(edges: NDArray[np.float64], keypoints_px: NDArray[np.float64], margin: float) -> Box:
    """Return the box around keypoints [count, 2] with a border on every side.

    The border is `margin` times the longer side of the keypoints' bounding box. The box has a smallest size, a share
    `MIN_BOX` of the first box with `edges`.
    """
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    bounds = np.maximum(high - low, MIN_BOX * np.ptp(edges, axis=0).max())
    middle, reach = (low + high) / 2, bounds / 2 + margin * bounds.max()
    left, top = middle + 0.5 - reach  # from pixel centres to pixel edges
    return float(left), float(top), float(2 * reach[0]), float(2 * reach[1])
