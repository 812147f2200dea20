"""How often and how the detector looks at a picture: once or twice, at one scale or several, as it is or averaged with its
mirror image.

Which keypoint is which in a mirror image, found from pictures alone.

A detector sees a picture and its mirror image; the second's keypoints are mapped back. If keypoint j of the mirror image lies
where keypoint i of the picture lies, picture after picture, they are partners, as the two eyes are. A keypoint that none of the
mirror image keeps returning to has no partner: an unsupervised detector may well treat the two sides differently.
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
"""Pictures that it is found from."""
AGREEMENT = 0.2
"""Mean distance (normalised units, 0.2 is a tenth of the frame) beyond which a keypoint is not averaged. By cross-validation on
two sets of faces 0.2 and 0.3 did as well as pairs given by hand; 0.1 left most keypoints out and gained nothing."""


def find_mirror(predictor: Predictor, sample: Sequence[Fitted], pairs: Sequence[Pair] = ()) -> NDArray[np.int64]:
    """Partner [K] of each keypoint in a mirror image, itself if it lies on the axis, -1 if it has none; `pairs` are known."""
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
        keypoints: [images, K, 2], normalised.
        unmirrored: [images, K, 2], those of the mirror images, mapped back.
        pairs: partners that are known, and are taken whether they agree or not.

    Returns:
        [K], an involution where it is not -1.
    """
    distance = np.linalg.norm(keypoints[:, :, None] - unmirrored[:, None], axis=-1).mean(axis=0)
    cost = (distance + distance.T) / 2
    own = np.diag(cost)
    gain = own[:, None] + own[None, :] - 2 * cost  # of pairing i and j, over leaving each to itself
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
