"""The second stage: predictions + annotated images + protocol -> rows of a result.

Every regression of the protocol becomes a row for the predictions, one for the mean shape (floor), and one for each
form of the random features, where given. Errors are measured on the test images alone, in the coordinates of the
regression's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines import Features, reduce_features
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.metrics.nme import NmeScore, nme_interocular_percent
from benchmarks.protocols import Protocol, Regression
from benchmarks.regression import fit_regression
from kpdetect.errors import InputError

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions

Kind = Literal["model", "floor", "baseline"]
Points = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One regression, fitted and measured.

    Attributes:
        score: errors over the test images.
        predicted: [test images, landmarks, 2], in the coordinates of the arguments.
        rank: rank of the regression's input; 0 for the mean shape.
        columns: numbers per image in the regression's input; 0 for the mean shape.
    """

    score: NmeScore
    predicted: NDArray[np.float64]
    rank: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a result; errors in percent of the inter-ocular distance.

    Attributes:
        method: what made the prediction.
        kind: the model itself, the mean-shape floor, or another baseline.
        regression: name of the regression within the protocol.
        bias: whether the regression has a constant term.
        headline: whether this regression is the protocol's headline.
        mean_of_ratios, ratio_of_means, median, interval95: see `NmeScore`.
        per_point: mean of ratios by landmark name.
        rank, columns: see `Evaluation`.
        note: what a reader has to know about this row, or empty.
    """

    method: str
    kind: Kind
    regression: str
    bias: bool
    headline: bool
    mean_of_ratios: float
    ratio_of_means: float
    median: float
    interval95: tuple[float, float]
    per_point: dict[str, float]
    rank: int
    columns: int
    note: str = ""


def evaluate_arrays(
    train_pred: Points,
    train_gt: Points,
    test_pred: Points,
    test_gt: Points,
    *,
    bias: bool,
    offset: tuple[float, float] = (0.0, 0.0),
    normaliser: tuple[int, int] = (0, 1),
) -> Evaluation:
    """Fit on one part, measure on the other.

    Args:
        train_pred, test_pred: keypoints [images, keypoints, 2], or features [images, columns].
        train_gt, test_gt: landmarks [images, landmarks, 2], (x, y).
        bias: whether the regression has a constant term.
        offset: added to landmarks, and to keypoints [.., 2], before fitting: moves the origin.
        normaliser: indices of the two landmarks whose distance is the unit.

    Raises:
        InputError: shapes that do not fit, values that are not finite, an inter-ocular distance of zero.
    """
    shift = np.asarray(offset, np.float64)
    moved = shift if train_pred.ndim == 3 else 0.0
    regression = fit_regression(train_pred + moved, train_gt + shift, bias=bias)
    predicted = regression(test_pred + moved) - shift
    score = nme_interocular_percent(predicted, test_gt, normaliser)
    return Evaluation(score=score, predicted=predicted, rank=regression.rank, columns=regression.columns)


def evaluate_mean_shape(train_gt: Points, test_gt: Points, normaliser: tuple[int, int] = (0, 1)) -> Evaluation:
    """The floor: the mean of `train_gt` [images, landmarks, 2] as the answer for every image of `test_gt`."""
    predicted = np.broadcast_to(np.mean(train_gt, axis=0, dtype=np.float64), test_gt.shape)
    return Evaluation(score=nme_interocular_percent(predicted, test_gt, normaliser), predicted=predicted, rank=0, columns=0)


def evaluate(
    predictions: Predictions | None,
    landmark_set: LandmarkSet,
    protocol: Protocol,
    *,
    features: Features | None = None,
    method: str = "kpdetect",
) -> list[Row]:
    """All rows of a result, headline first.

    Args:
        predictions: keypoints of (at least) the images that are fitted and tested, or None for the baselines alone.
        landmark_set: annotated images.
        protocol: how to measure.
        features: random features of the fitted and tested images, in the order of the set's indices.
        method: name of the rows of `predictions`.

    Raises:
        InputError: predictions are missing for some images, or were made on images of another size.
    """
    keypoints_px = None if predictions is None else align(predictions, landmark_set)
    columns = None if keypoints_px is None else 2 * keypoints_px.shape[1]
    reduced = [] if features is None else reduce_features(features, _landmarks(landmark_set, protocol.headline)[0], columns)
    rows: list[Row] = []
    for regression in sorted(protocol.regressions, key=lambda regression: not regression.headline):
        evaluations: list[tuple[str, Kind, Evaluation]] = []
        if keypoints_px is not None:
            evaluations.append((method, "model", evaluate_regression(keypoints_px, landmark_set, protocol, regression)))
        evaluations += _baselines(landmark_set, protocol, regression, reduced)
        rows += [_row(name, kind, result, protocol, regression) for name, kind, result in evaluations]
    return rows


def evaluate_regression(
    keypoints_px: Points, landmark_set: LandmarkSet, protocol: Protocol, regression: Regression
) -> Evaluation:
    """One regression of a protocol on keypoints [images of the set, keypoints, 2] in pixels of the image files."""
    keypoints = regression.frame.place(keypoints_px, landmark_set.sizes, regression.origin)
    train_pred, test_pred = keypoints[landmark_set.fit], keypoints[landmark_set.test]
    train_gt, test_gt = _landmarks(landmark_set, regression)
    unit = protocol.normaliser_indices
    return evaluate_arrays(train_pred, train_gt, test_pred, test_gt, bias=regression.bias, normaliser=unit)


def align(predictions: Predictions, landmark_set: LandmarkSet) -> NDArray[np.float64]:
    """Predicted keypoints in the set's order, float64 [images, keypoints, 2]; zeros for images that are not used.

    Raises:
        InputError: predictions are missing for some used images, or were made on images of another size.
    """
    position = {name: index for index, name in enumerate(predictions.images)}
    used = landmark_set.used
    missing = [landmark_set.images[index] for index in used if landmark_set.images[index] not in position]
    if missing:
        raise InputError(f"predictions lack {len(missing):,} images, the first is {missing[0]}; predict the whole data set")
    source = np.array([position[landmark_set.images[index]] for index in used])
    differ = np.flatnonzero((predictions.sizes[source] != landmark_set.sizes[used]).any(axis=1))
    if len(differ):
        name = landmark_set.images[used[differ[0]]]
        raise InputError(f"predictions of {name} were made on an image of another size; predict this data set again")
    aligned = np.zeros((len(landmark_set.images), *predictions.keypoints_px.shape[1:]))
    aligned[used] = predictions.keypoints_px[source]
    return aligned


def _baselines(
    landmark_set: LandmarkSet, protocol: Protocol, regression: Regression, reduced: Sequence[Features]
) -> list[tuple[str, Kind, Evaluation]]:
    unit = protocol.normaliser_indices
    fit, test = _landmarks(landmark_set, regression)
    found: list[tuple[str, Kind, Evaluation]] = [("mean shape", "floor", evaluate_mean_shape(fit, test, unit))]
    for features in reduced:
        result = evaluate_arrays(features.fit, fit, features.test, test, bias=True, normaliser=unit)
        found.append((features.name, "baseline", result))
    return found


def _landmarks(landmark_set: LandmarkSet, regression: Regression) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    landmarks = regression.frame.place(landmark_set.landmarks_px, landmark_set.sizes, regression.origin)
    return landmarks[landmark_set.fit], landmarks[landmark_set.test]


def _row(method: str, kind: Kind, result: Evaluation, protocol: Protocol, regression: Regression) -> Row:
    score = result.score
    return Row(
        method=method,
        kind=kind,
        regression=regression.name,
        bias=regression.bias or kind != "model",
        headline=regression.headline,
        mean_of_ratios=score.mean_of_ratios,
        ratio_of_means=score.ratio_of_means,
        median=score.median,
        interval95=score.interval95,
        per_point=dict(zip(protocol.landmarks, score.per_point, strict=True)),
        rank=result.rank,
        columns=result.columns,
        note=_note(kind, result, regression),
    )


def _note(kind: Kind, result: Evaluation, regression: Regression) -> str:
    notes: Sequence[str] = (
        f"input has rank {result.rank} of {result.columns}" if result.rank < result.columns else "",
        "with bias" if kind == "baseline" and not regression.bias else "",
    )
    return "; ".join(note for note in notes if note)
