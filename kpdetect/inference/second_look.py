"""Where the second pass looks: at a square about the keypoints that the first one found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine, invert_affine, to_normalised, to_pixels
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.predictor import Box, Fitted

TRUSTED = 0.3
"""Keypoints of at least this confidence decide where the second pass looks, if there are three of them."""
MIN_BOX = 0.1
"""The second look is never smaller than this share of the first: keypoints that coincide are wrong."""
MAX_ZOOM = 2.0
"""Nor larger than this multiple of it."""
MIN_SPREAD = 0.05
"""Keypoints that lay closer together in training, in normalised units about their middle, say nothing of the object's size."""
PLACES = "keypoint_places"
"""Where a detector's description says where keypoints lay in training on average: normalised, [K][2]."""
UNKNOWN_MARGIN = 0.4
"""Border of the second look of weights that do not say it."""


def border(config: PredictConfig, description: dict[str, Any]) -> float | None:
    """The border of the second look as a share of the keypoints' box; None: the look is framed as training images were.

    Args:
        config: what the user asked for.
        description: of the detector's weights.
    """
    if config.margin is not None:
        return config.margin
    return None if PLACES in description else UNKNOWN_MARGIN


def second_box(
    picture: Fitted,
    keypoints_px: NDArray[np.float32],
    confidence: NDArray[np.float32],
    margin: float | None,
    places: NDArray[np.float64] | None,
) -> Box:
    """The box (left, top, width, height; pixel edges) that is looked at next.

    Args:
        picture: what the first look saw.
        keypoints_px: [K, 2], in the image's pixels, found there.
        confidence: [K]; where three or more reach `TRUSTED`, the others are left out.
        margin: see `border`.
        places: [K, 2], where these keypoints lay in training, normalised; needed without a margin.
    """
    trusted = confidence >= TRUSTED
    chosen = trusted if trusted.sum() >= 3 else np.ones_like(trusted)
    if margin is None:
        assert places is not None
        return framed_box(picture, keypoints_px[chosen], places[chosen])
    return keypoint_box(picture, keypoints_px[chosen], margin)


def framed_box(picture: Fitted, keypoints_px: NDArray[np.float32], places: NDArray[np.float64]) -> Box:
    """The box in which keypoints [count, 2] lie where they lay in training, and as far from their middle.

    It is the first look's, moved and magnified alike in both directions; for keypoints that tell no size it is only moved.
    """
    size = picture.square.shape[:2]
    found = to_normalised(apply_affine(picture.matrix, keypoints_px), size)
    middle, usual = found.mean(axis=0), places.mean(axis=0)
    distance, expected = _spread(found - middle), _spread(places - usual)
    zoom = 1.0 if expected < MIN_SPREAD else min(max(distance / expected, MIN_BOX), MAX_ZOOM)
    corners = middle + zoom * (np.array([[-1.0, -1.0], [1.0, 1.0]]) - usual)
    (left, top), (right, bottom) = apply_affine(invert_affine(picture.matrix), to_pixels(corners, size)) + 0.5  # pixel edges
    return float(left), float(top), float(right - left), float(bottom - top)


def keypoint_box(picture: Fitted, keypoints_px: NDArray[np.float32], margin: float) -> Box:
    """The box around keypoints [count, 2] with a border of `margin` times the longer side of their own box on every side."""
    height, width = picture.size
    inside = np.clip(keypoints_px.astype(np.float64), -0.5, np.array([width, height]) - 0.5)
    low, high = inside.min(axis=0), inside.max(axis=0)
    least = MIN_BOX * max(picture.square.shape[0] / picture.matrix[1, 1], picture.square.shape[1] / picture.matrix[0, 0])
    own = np.maximum(high - low, least)
    middle, reach = (low + high) / 2, own / 2 + margin * own.max()
    left, top = middle + 0.5 - reach  # from pixel centres to pixel edges
    return float(left), float(top), float(2 * reach[0]), float(2 * reach[1])


def _spread(offsets: NDArray[np.float64]) -> float:
    """Root mean square distance of offsets [count, 2] from 0: the same however they are turned."""
    return float(np.sqrt((offsets**2).sum(axis=1).mean()))
