"""Which keypoint is which in a mirror image, found from pictures alone.

A detector sees a picture and its mirror image; the second's keypoints are mapped back. If keypoint j of the mirror image lies
where keypoint i of the picture lies, picture after picture, they are partners, as the two eyes are. A keypoint that none of the
mirror image keeps returning to has no partner: an unsupervised detector may well treat the two sides differently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kpdetect.inference.labels import Pair
from kpdetect.inference.predictor import BATCH, Fitted, Predictor, unmirror

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
