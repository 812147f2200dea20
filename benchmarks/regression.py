"""Least squares from predicted keypoints to annotated landmarks, in float64.

Unsupervised keypoints have no names; a linear map fitted on annotated images gives them names (Thewlis et al. 2017).
"Without bias" the map has no constant term, so the result depends on the origin of the coordinates; with bias it does
not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LandmarkRegression:
    """A fitted linear map from `columns` numbers per image to landmarks [landmarks, 2].

    Attributes:
        weights: [columns, 2 * landmarks].
        bias: [2 * landmarks]; zeros when fitted without bias.
        rank: numerical rank of the (with bias: centred) input; below `columns`, keypoints are constant or depend on
            each other, or the images are too few. The solution of least norm is taken then.
        columns: numbers per image.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    rank: int
    columns: int

    def __call__(self, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
        """Landmarks [images, landmarks, 2] of keypoints [images, keypoints, 2] or features [images, columns]."""
        flat = _columns(inputs) @ self.weights + self.bias
        return flat.reshape(len(flat), -1, 2)


def fit_regression(inputs: NDArray[np.floating], landmarks: NDArray[np.floating], *, bias: bool) -> LandmarkRegression:
    """Fit on annotated images.

    Args:
        inputs: keypoints [images, keypoints, 2] or features [images, columns].
        landmarks: [images, landmarks, 2].
        bias: whether the map has a constant term.

    Raises:
        InputError: no images, counts that differ, or values that are not finite.
    """
    from sklearn.linear_model import LinearRegression

    columns, targets = _columns(inputs), _columns(landmarks)
    if len(columns) != len(targets) or not len(columns):
        raise InputError(f"regression: {len(columns)} predictions for {len(targets)} annotated images; expected equal, not 0")
    if not (np.isfinite(columns).all() and np.isfinite(targets).all()):
        raise InputError("regression: keypoints or landmarks are not finite; remove those images from the fitting list")
    model = LinearRegression(fit_intercept=bias).fit(columns, targets)
    return LandmarkRegression(
        weights=np.asarray(model.coef_, np.float64).T,
        bias=np.broadcast_to(np.asarray(model.intercept_, np.float64), targets.shape[1:]).copy(),
        rank=int(model.rank_),
        columns=columns.shape[1],
    )


def _columns(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64).reshape(len(values), math.prod(values.shape[1:]))
