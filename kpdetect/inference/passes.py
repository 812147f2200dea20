"""How often and how the detector looks at a picture: once or twice, at one scale or several, as it is or averaged with its
mirror image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kpdetect.inference.config import PredictConfig
from kpdetect.inference.mirror import find_mirror
from kpdetect.inference.predictor import Box, Fitted, Keypoints, Predictor
from kpdetect.inference.second_look import Layout, border, second_box

Refit = Callable[[Sequence[Sequence[Box]]], list[list[Fitted]]]
"""Fits parts of pictures: for each picture its boxes, and for each box what comes of it."""


class Passes:
    """The detector as configured; gives the keypoints that are kept.

    Attributes:
        mirror: [K] number of each keypoint in a mirrored image, -1 where it is not averaged; None without averaging, or while
            it is not known.
    """

    def __init__(self, predictor: Predictor, config: PredictConfig) -> None:
        self.predictor, self.config = predictor, config
        self.kept = list(predictor.skeleton.numbers)
        self.mirror: NDArray[np.int64] | None = None
        self.border = border(config, predictor.description)
        layout = Layout.read(predictor.description)
        self.layout = None if layout is None else layout.of(np.array(self.kept))

    @property
    def wants_sample(self) -> bool:
        """Whether `learn` must be called first: averaging was asked for, and not every keypoint's partner is known."""
        return self.config.flip_average and self.mirror is None

    def learn(self, sample: Sequence[Fitted]) -> None:
        """Find out from pictures which keypoint is which in a mirror image; pairs of the labels stand."""
        self.mirror = find_mirror(self.predictor, sample, self.predictor.labels.pairs)

    def __call__(self, fitted: Sequence[Fitted], refit: Refit) -> Keypoints:
        """Predict pictures.

        Args:
            fitted: the pictures.
            refit: fits parts of these pictures; used by the second pass and other scales.

        Returns:
            `keypoints_px` float32 [count, kept, 2] and `confidence` float32 [count, kept].
        """
        if self.config.two_pass:
            keypoints_px, confidence = self._once(fitted)
            boxes = [
                [self.predictor.square_box(second_box(picture, points, sure, self.border, self.layout))]
                for points, sure, picture in zip(keypoints_px, confidence, fitted, strict=True)
            ]
            fitted = [closer for (closer,) in refit(boxes)]
        found = [self._once(look) for look in self._looks(fitted, refit)]
        keypoints_px, confidence = (np.stack(part).mean(axis=0) for part in zip(*found, strict=True))
        return keypoints_px, confidence

    def _looks(self, fitted: Sequence[Fitted], refit: Refit) -> list[Sequence[Fitted]]:
        """The pictures at each scale; all other scales than 1 in one call, so that each picture is decoded once for them."""
        others = [scale for scale in self.config.scales if scale != 1]
        looks = [fitted] * (len(self.config.scales) - len(others))
        if others:
            boxes = [[self.predictor.square_box(scaled_box(picture, scale)) for scale in others] for picture in fitted]
            looks += zip(*refit(boxes), strict=True)
        return looks

    def _once(self, fitted: Sequence[Fitted]) -> Keypoints:
        keypoints_px, confidence = self.predictor.predict_fitted(fitted, self.mirror)
        return keypoints_px[:, self.kept], confidence[:, self.kept]


def scaled_box(picture: Fitted, scale: float) -> Box:
    """The box `scale` times as wide and high as what a fitted picture shows, about the same middle."""
    low, high = picture.edges
    left, top = (low + high) / 2 - scale * (high - low) / 2
    width, height = scale * (high - low)
    return float(left), float(top), float(width), float(height)
