"""Where the second pass looks: at a square about the keypoints that the first one found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import CheckpointError
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.predictor import Box, Fitted

TRUSTED = 0.3
"""Keypoints of at least this confidence decide where the second pass looks, if there are three of them."""
MIN_BOX = 0.1
"""The second look is never smaller than this share of the first: keypoints that coincide are wrong."""
MAX_ZOOM = 1.5
"""A look that is framed as in training is never larger than this multiple of the first."""
MIN_SPREAD = 0.05
"""Keypoints that lay closer together in training, in normalised units about their middle, say nothing of the object's size."""
LAYOUT = "keypoint_layout"
"""What a detector's description calls where keypoints lay in training, see `Layout`."""
UNKNOWN_MARGIN = 0.4
"""Border of the second look of weights that do not say it."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where keypoints lay in training images, normalised.

    Attributes:
        places: [K, 2], on average over images.
        distances: [K, K], between any two in one image, root mean square over images. Objects that turn or differ have mean
            places closer together than the keypoints of any image; these distances do not care.
    """

    places: NDArray[np.float64]
    distances: NDArray[np.float64]

    @classmethod
    def read(cls, description: dict[str, Any]) -> Layout | None:
        """From a detector's description; None where it says nothing.

        Raises:
            CheckpointError: it is not one place for each keypoint, one distance for any two.
        """
        told, count = description.get(LAYOUT), int(description["keypoints"])
        if told is None:
            return None
        try:
            places, distances = (np.asarray(told[name], dtype=np.float64) for name in ("places", "distances"))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{LAYOUT} of the weights is damaged ({error}); train the detector again") from error
        if places.shape != (count, 2) or distances.shape != (count, count):
            raise CheckpointError(f"{LAYOUT} of the weights is not of {count} keypoints; train the detector again")
        return cls(places=places, distances=distances)

    def of(self, keypoints: NDArray[np.integer] | NDArray[np.bool_]) -> Layout:
        """That of some keypoints alone."""
        return Layout(places=self.places[keypoints], distances=self.distances[keypoints][:, keypoints])

    @property
    def spread(self) -> float:
        """Root mean square distance of an image's keypoints from their middle."""
        return float(np.sqrt((self.distances**2).mean() / 2))


def border(config: PredictConfig, description: dict[str, Any]) -> float | None:
    """The border of the second look as a share of the keypoints' box; None: the look is framed as training images were.

    Args:
        config: what the user asked for.
        description: of the detector's weights.
    """
    if config.margin is not None:
        return config.margin
    return None if config.two_pass and LAYOUT in description else UNKNOWN_MARGIN


def second_box(
    picture: Fitted,
    keypoints_px: NDArray[np.float32],
    confidence: NDArray[np.float32],
    margin: float | None,
    layout: Layout | None,
) -> Box:
    """The box (left, top, width, height; pixel edges) that is looked at next.

    Args:
        picture: what the first look saw.
        keypoints_px: [K, 2], in the image's pixels, found there; what lies outside the image counts to its edge.
        confidence: [K]; where three or more reach `TRUSTED`, and are no cluster of neighbours, the others are left out.
        margin: see `border`.
        layout: of these keypoints; needed without a margin.
    """
    height, width = picture.size
    inside = np.clip(keypoints_px.astype(np.float64), -0.5, np.array([width, height]) - 0.5)
    trusted = confidence >= TRUSTED
    chosen = trusted if trusted.sum() >= 3 else np.ones_like(trusted)
    if margin is not None:
        return keypoint_box(picture.edges, inside[chosen], margin)
    assert layout is not None  # else `border` gives a margin
    if layout.of(chosen).spread < layout.spread / 2:
        chosen = np.ones_like(trusted)
    return framed_box(picture.edges, inside[chosen], layout.of(chosen))


def framed_box(edges: NDArray[np.float64], keypoints_px: NDArray[np.float64], layout: Layout) -> Box:
    """The box in which keypoints [count, 2] lie as far from their middle as in training, and that middle where it was.

    It is that of the first look, whose `edges` [[left, top], [right, bottom]] are given, moved and magnified alike in both
    directions; for keypoints that tell no size it is only moved.
    """
    low, high = edges
    found = 2 * (keypoints_px + 0.5 - low) / (high - low) - 1
    middle, usual, expected = found.mean(axis=0), layout.places.mean(axis=0), layout.spread
    zoom = 1.0 if expected < MIN_SPREAD else min(max(spread(found) / expected, MIN_BOX), MAX_ZOOM)
    left, top = low + (middle - zoom * (1 + usual) + 1) / 2 * (high - low)
    width, height = zoom * (high - low)
    return float(left), float(top), float(width), float(height)


def spread(keypoints: NDArray[np.float64]) -> float:
    """Root mean square distance of keypoints [count, 2] from their middle, in their unit; see `Layout.spread`."""
    return float(np.sqrt(((keypoints - keypoints.mean(axis=0)) ** 2).sum(axis=1).mean()))


def keypoint_box(edges: NDArray[np.float64], keypoints_px: NDArray[np.float64], margin: float) -> Box:
    """The box around keypoints [count, 2] with a border of `margin` times the longer side of their own box on every side, and
    no tiny part of the first look, whose `edges` are given."""
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    own = np.maximum(high - low, MIN_BOX * np.ptp(edges, axis=0).max())
    middle, reach = (low + high) / 2, own / 2 + margin * own.max()
    left, top = middle + 0.5 - reach  # from pixel centres to pixel edges
    return float(left), float(top), float(2 * reach[0]), float(2 * reach[1])
