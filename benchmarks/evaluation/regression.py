"""Linear maps between predicted keypoints and annotated landmarks, in float64.

Unsupervised keypoints have no names; a linear map that is fitted on annotated images predicts named landmarks from them
(Thewlis et al. 2017). Without bias, the map has no constant term and the result depends on the origin of the coordinates; with
bias it does not. Ridge regression shrinks the weights, which helps with few labels.

Some protocols cannot distinguish left from right. The fit then alternates two steps until nothing changes: fit the map, and
exchange the names of landmarks in the images where this brings them nearer to the map's prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.nme import exchange_names
from kpdetect.errors import InputError

PENALTIES = tuple(float(value) for value in np.logspace(-2, 6, 17))
"""Ridge penalties to choose from; inputs are in pixels or standardised."""
ROUNDS = 50
"""Largest number of repeated fits, if names of landmarks may be exchanged."""
Fitted = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weights [columns, targets] and constant terms [targets]."""


@dataclass(frozen=True, kw_only=True)
class LandmarkRegression:
    """A fitted linear map from `columns` values per image to landmarks [landmarks, 2].

    Attributes:
        weights: [columns, 2 * landmarks].
        bias: [2 * landmarks]; zeros if fitted without bias.
        rank: numerical rank of the input (centred if fitted with bias); the least over the landmarks if some are hidden. A
            rank below `columns` means that keypoints are constant, depend on each other, or outnumber the images. The fit
            then has the least norm of all best fits.
        columns: number of values per image.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    rank: int
    columns: int

    def __call__(self, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
        """Predict landmarks [images, landmarks, 2] from keypoints [images, keypoints, 2] or features [images, columns]."""
        flat = _columns(inputs) @ self.weights + self.bias
        return flat.reshape(len(flat), -1, 2)


def fit_regression(
    inputs: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    *,
    bias: bool,
    ridge: bool = False,
    exchanged: NDArray[np.int64] | None = None,
    names: Sequence[str] = (),
) -> LandmarkRegression:
    """Fit a linear map on annotated images.

    Args:
        inputs: keypoints [images, keypoints, 2] or features [images, columns].
        landmarks: [images, landmarks, 2]; NaN where hidden. Each landmark is fitted on the images that show it.
        bias: whether the map has a constant term.
        ridge: whether to shrink the weights, with the penalty from `PENALTIES` that leave-one-out cross-validation selects.
        exchanged: order of the landmarks with exchanged names; None if names must not be exchanged.
        names: names of the landmarks, for messages.

    Raises:
        InputError: there are no images, the numbers of images differ, no image shows a landmark, or a value is not finite.
    """
    columns, targets = _columns(inputs), _columns(landmarks)
    if len(columns) != len(targets) or not len(columns):
        counts = f"{len(columns)} predictions for {len(targets)} annotated images"
        raise InputError(f"regression: {counts}; expected equal numbers, at least 1")
    if not np.isfinite(columns).all() or np.isinf(targets).any():
        raise InputError("regression: keypoints or landmarks are not finite; remove those images from the fitting list")
    seen = ~np.isnan(targets).all(axis=0)
    if not seen.all():
        number = int(np.argmin(seen)) // 2
        landmark = names[number] if names else str(number)
        raise InputError(f"regression: no fitting image shows landmark {landmark}; fit on more images or leave it out")
    if exchanged is not None:
        named = np.asarray(landmarks, np.float64)
        named = settle_names(named, exchanged, lambda points: _fit_visible(columns, _columns(points), bias, ridge)(columns))
        targets = _columns(named)
    return _fit_visible(columns, targets, bias, ridge)


def settle_names(
    landmarks: NDArray[np.float64], exchanged: NDArray[np.int64], predict: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Exchange names of landmarks [images, landmarks, 2] in some images until no exchange brings them nearer to `predict`.

    Args:
        landmarks: [images, landmarks, 2].
        exchanged: order of the landmarks after the exchange of names, [landmarks].
        predict: function that fits on landmarks and returns the fit's predictions for the same images, in the same shape.
    """
    for _ in range(ROUNDS):
        settled = exchange_names(landmarks, predict(landmarks), exchanged)
        if np.array_equal(settled, landmarks, equal_nan=True):
            break
        landmarks = settled
    return landmarks


def _fit_visible(columns: NDArray[np.float64], targets: NDArray[np.float64], bias: bool, ridge: bool) -> LandmarkRegression:
    """Fit each target on the rows in which it is not NaN; fit targets that are hidden in the same rows together."""
    visible = ~np.isnan(targets)
    weights, constant = np.empty((columns.shape[1], targets.shape[1])), np.empty(targets.shape[1])
    ranks = []
    for shown in np.unique(visible, axis=1).T:
        same = (visible == shown[:, None]).all(axis=0)
        used = columns[shown]
        weights[:, same], constant[same] = _fit(used, targets[np.ix_(shown, same)], bias, ridge)
        ranks.append(int(np.linalg.matrix_rank(used - used.mean(axis=0) if bias else used)))
    return LandmarkRegression(weights=weights, bias=constant, rank=min(ranks), columns=columns.shape[1])


def _fit(inputs: NDArray[np.float64], targets: NDArray[np.float64], bias: bool, ridge: bool) -> Fitted:
    from sklearn.linear_model import LinearRegression, RidgeCV

    model = RidgeCV(PENALTIES, fit_intercept=bias) if ridge and len(inputs) > 1 else LinearRegression(fit_intercept=bias)
    model.fit(inputs, targets)
    return np.asarray(model.coef_, np.float64).reshape(-1, inputs.shape[1]).T, np.asarray(model.intercept_, np.float64)


def _columns(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64).reshape(len(values), math.prod(values.shape[1:]))
