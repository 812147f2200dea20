"""Predict in one pass or two, and average over scales and over the mirror image.

To average over the mirror image, kpdetect must know the partner of each keypoint, as the left eye is the partner of the right
eye. Partners are found from images alone. The detector predicts an image and its mirror image, and the keypoints of the mirror
image are mapped back. If keypoint j of the mirror image lies at keypoint i of the image, in image after image, i and j are
partners. A keypoint may have no partner, because an unsupervised detector may treat the two sides differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kpdetect.inference.config import PredictConfig
from kpdetect.inference.labels import Pair
from kpdetect.inference.predictor import BATCH, Box, Fitted, Keypoints, Predictor, unmirror
from kpdetect.inference.second_pass import Layout, border, second_box

SAMPLE = 64
"""Number of images from which partners are found."""
AGREEMENT = 0.2
"""Largest mean distance of partners, in normalised units (0.2 is a tenth of the image). Beyond it, a keypoint has no partner.
In cross-validation on two sets of faces, 0.2 and 0.3 were as good as partners named by hand. With 0.1 most keypoints had no
partner, and averaging gained nothing."""


def find_mirror(predictor: Predictor, sample: Sequence[Fitted], pairs: Sequence[Pair] = ()) -> NDArray[np.int64]:
    """Find the number [K] of each keypoint's partner in the mirror image.

    The partner of a keypoint on the axis is the keypoint itself. A keypoint without a partner gets -1.

    Args:
        predictor: the detector.
        sample: images to find partners from.
        pairs: partners that are already known.
    """
    plain, mirrored = [], []
    for at in range(0, len(sample), BATCH):
        squares = np.stack([item.square for item in sample[at : at + BATCH]])
        plain.append(predictor.read_squares(squares)[0])
        mirrored.append(unmirror(predictor.read_squares(squares[:, :, ::-1])[0]))
    return match_mirror(np.concatenate(plain), np.concatenate(mirrored), pairs)


def match_mirror(
    keypoints: NDArray[np.floating], unmirrored: NDArray[np.floating], pairs: Sequence[Pair] = ()
) -> NDArray[np.int64]:
    """Pair keypoints that lie at the same places.

    Args:
        keypoints: [images, K, 2], normalised keypoints of the images.
        unmirrored: [images, K, 2], normalised keypoints of the mirror images, mapped back.
        pairs: partners that are already known. They are kept, even if their places differ.

    Returns:
        int [K], the number of each keypoint's partner, or -1. If j is the partner of i, then i is the partner of j.
    """
    distance = np.linalg.norm(keypoints[:, :, None] - unmirrored[:, None], axis=-1).mean(axis=0)
    cost = (distance + distance.T) / 2
    alone = np.diag(cost)
    gain = alone[:, None] + alone[None, :] - 2 * cost  # gain of pairing i with j, compared with placing both on the axis
    partner = np.arange(len(cost))
    free = np.ones(len(cost), dtype=bool)
    for one, other in pairs:
        partner[one], partner[other] = other, one
        free[one] = free[other] = False
    known = ~free
    for flat in np.argsort(-gain, axis=None):
        one, other = np.unravel_index(flat, gain.shape)
        if gain[one, other] <= 0:
            break
        if free[one] and free[other]:
            partner[one], partner[other] = other, one
            free[one] = free[other] = False
    lonely = (distance[np.arange(len(cost)), partner] > AGREEMENT) & ~known
    return np.where(lonely | lonely[partner], -1, partner)


Refit = Callable[[Sequence[Sequence[Box]]], list[list[Fitted]]]
"""A function that crops parts of images: from a list of boxes per image to a list of fitted squares per image."""


class Passes:
    """A detector with the settings of a prediction. It returns the keypoints that the labels do not drop.

    Attributes:
        mirror: int [K], number of each keypoint's partner in the mirror image, -1 for keypoints that are not averaged. None
            before `learn`, and if there is no averaging over the mirror image.
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
        """Whether `learn` must be called first, because averaging over the mirror image needs the partners."""
        return self.config.flip_average and self.mirror is None

    def learn(self, sample: Sequence[Fitted]) -> None:
        """Find the partners of the keypoints from images. Pairs in the labels are kept."""
        self.mirror = find_mirror(self.predictor, sample, self.predictor.labels.pairs)

    def __call__(self, fitted: Sequence[Fitted], refit: Refit) -> Keypoints:
        """Predict images.

        Args:
            fitted: squares of the images.
            refit: function that crops parts of these images to squares, for the second pass and for other scales.

        Returns:
            `keypoints_px` float32 [count, kept, 2] and `confidence` float32 [count, kept].
        """
        if not fitted:  # no image of a batch can be read
            return self._once(fitted)
        if self.config.two_pass:
            keypoints_px, confidence = self._once(fitted)
            boxes = [
                [self.predictor.square_box(second_box(picture, points, sure, self.border, self.layout))]
                for points, sure, picture in zip(keypoints_px, confidence, fitted, strict=True)
            ]
            fitted = [closer for (closer,) in refit(boxes)]
        predictions = [self._once(scaled) for scaled in self._at_scales(fitted, refit)]
        keypoints_px, confidence = (np.stack(part).mean(axis=0) for part in zip(*predictions, strict=True))
        return keypoints_px, confidence

    def _at_scales(self, fitted: Sequence[Fitted], refit: Refit) -> list[Sequence[Fitted]]:
        """Crop the images at each scale. One call of `refit` serves all scales except 1, so each image is decoded only once."""
        others = [scale for scale in self.config.scales if scale != 1]
        scaled = [fitted] * (len(self.config.scales) - len(others))
        if others:
            boxes = [[self.predictor.square_box(scaled_box(picture, scale)) for scale in others] for picture in fitted]
            scaled += zip(*refit(boxes), strict=True)
        return scaled

    def _once(self, fitted: Sequence[Fitted]) -> Keypoints:
        keypoints_px, confidence = self.predictor.predict_fitted(fitted, self.mirror)
        return keypoints_px[:, self.kept], confidence[:, self.kept]


def scaled_box(picture: Fitted, scale: float) -> Box:
    """Return the box with the same centre as a fitted square, `scale` times as wide and high."""
    low, high = picture.edges
    left, top = (low + high) / 2 - scale * (high - low) / 2
    width, height = scale * (high - low)
    return float(left), float(top), float(width), float(height)
