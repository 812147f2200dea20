"""Compute the rows of a result from predictions, annotated images and a protocol. This is the second stage of a benchmark.

Each regression of the protocol has a row for the model, for the mean shape (whose error is called the floor), and for each
other baseline. Errors are measured on the test images alone, in the coordinates of the regression's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.baselines import KEYPOINTS, Features, grid_keypoints, reduce_features
from benchmarks.evaluation.regression import fit_regression, settle_names
from benchmarks.evaluation.result_row import Kind, Row
from benchmarks.metrics.difference import paired_difference
from benchmarks.metrics.nme import NmeScore, auc_percent, exchange_names, nme_percent, pck_percent, point_errors_percent
from benchmarks.metrics.units import unit_lengths
from benchmarks.protocol.definition import Distance, Protocol, Regression
from kpdetect.errors import InputError

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions

Points = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of one regression that was fitted and measured.

    Attributes:
        score: errors over the test images.
        errors: errors [test images, landmarks] in percent of the image's unit length; NaN where hidden.
        predicted: predicted landmarks [test images, landmarks, 2], in the coordinates of the regression's frame.
        rank: rank of the regression's input; 0 without a regression.
        columns: number of values per image in the regression's input; 0 without a regression.
    """

    score: NmeScore
    errors: NDArray[np.float64]
    predicted: NDArray[np.float64]
    rank: int = 0
    columns: int = 0


class Candidate(NamedTuple):
    """The content of a row: method, kind, evaluation, and whether the regression has a constant term."""

    method: str
    kind: Kind
    evaluation: Evaluation
    bias: bool


@dataclass(frozen=True, kw_only=True)
class Placed:
    """The annotated images of a benchmark in the coordinates of one regression.

    Attributes:
        fit: landmarks [fitting images, landmarks, 2]; NaN where hidden.
        test: landmarks [test images, landmarks, 2]; NaN where hidden.
        unit: [test images], see `unit_lengths`.
        exchanged: order of the landmarks with exchanged names; None if the protocol does not exchange names.
        distance, summed: see `nme_percent`.
        names: names of the landmarks, for messages.
    """

    fit: NDArray[np.float64]
    test: NDArray[np.float64]
    unit: NDArray[np.float64]
    exchanged: NDArray[np.int64] | None = None
    distance: Distance = "euclidean"
    summed: bool = False
    names: tuple[str, ...] = ()

    def measure(self, predicted: Points, rank: int = 0, columns: int = 0) -> Evaluation:
        """Measure the errors of landmarks [test images, landmarks, 2]."""
        points = np.asarray(predicted, np.float64)
        if self.exchanged is not None:
            points = exchange_names(points, self.test, self.exchanged, self.distance)
        errors = point_errors_percent(points, self.test, self.unit, self.distance)
        score = nme_percent(points, self.test, self.unit, self.distance, summed=self.summed)
        return Evaluation(score=score, errors=errors, predicted=points, rank=rank, columns=columns)

    def regress(self, fit: Points, test: Points, *, bias: bool, ridge: bool = False) -> Evaluation:
        """Fit a linear map from keypoints [images, keypoints, 2] or features [images, columns], and measure its errors."""
        regression = fit_regression(fit, self.fit, bias=bias, ridge=ridge, exchanged=self.exchanged, names=self.names)
        return self.measure(regression(test), regression.rank, regression.columns)

    def mean_shape(self) -> Evaluation:
        """Measure the floor: the mean landmarks of the fitting images as the prediction for every test image."""
        return self.measure(np.broadcast_to(self.mean_landmarks(), self.test.shape))

    def mean_landmarks(self) -> NDArray[np.float64]:
        """Compute the mean landmarks [landmarks, 2] of the fitting images, after the exchange of names."""
        fit = self.fit
        if self.exchanged is not None:
            fit = settle_names(fit, self.exchanged, lambda points: np.broadcast_to(np.nanmean(points, axis=0), points.shape))
        return np.asarray(np.nanmean(fit, axis=0), np.float64)


def place(landmark_set: LandmarkSet, protocol: Protocol, regression: Regression) -> Placed:
    """Place fitting and test images in the coordinates of a regression.

    Raises:
        InputError: the unit of a test image is zero or hidden.
    """
    frame, sizes, test = regression.frame, landmark_set.sizes, landmark_set.test
    landmarks = frame.place(landmark_set.landmarks_px, sizes, regression.origin)
    return Placed(
        fit=landmarks[landmark_set.fit],
        test=landmarks[test],
        unit=unit_lengths(protocol, landmarks[test], frame.extents(sizes)[test], [landmark_set.images[row] for row in test]),
        exchanged=protocol.exchanged,
        distance=protocol.distance,
        summed=protocol.summed,
        names=protocol.landmarks,
    )


class MeasuredRow(NamedTuple):
    """A row and its errors."""

    row: Row
    evaluation: Evaluation


def evaluate(
    predictions: Predictions | None,
    landmark_set: LandmarkSet,
    protocol: Protocol,
    *,
    features: Sequence[Features] = (),
    supervised: Sequence[tuple[str, Predictions]] = (),
    method: str = "kpdetect",
) -> list[MeasuredRow]:
    """Compute all rows of a result. The protocol's main regression (headline) comes first, and in each regression the model.

    Args:
        predictions: keypoints of at least the fitting and test images, or None for the baselines alone.
        landmark_set: annotated images.
        protocol: the protocol of the measurement.
        features: features of the fitting and test images, one entry per baseline, in the order of the set's indices.
        supervised: names and predictions of supervised detectors; they are measured without a regression.
        method: name of the model in its rows.

    Raises:
        InputError: predictions are missing for some images, or belong to images of another size.
    """
    keypoints_px = None if predictions is None else align(predictions, landmark_set)
    count = KEYPOINTS if keypoints_px is None else keypoints_px.shape[1]
    names = [] if predictions is None else [f"keypoint {number}" for number in predictions.points.numbers]
    headline = place(landmark_set, protocol, protocol.headline)
    reduced = [reduction for raw in features for reduction in reduce_features(raw, headline.fit, 2 * count, headline.names)]
    ceilings = [(name, align(predicted, landmark_set)) for name, predicted in supervised]
    rows: list[MeasuredRow] = []
    for regression in sorted(protocol.regressions, key=lambda regression: not regression.headline):
        if regression.backward:
            rows += [] if keypoints_px is None else _backward(keypoints_px, names, landmark_set, protocol, regression, method)
            continue
        candidates: list[Candidate] = []
        if keypoints_px is not None:
            result = evaluate_regression(keypoints_px, landmark_set, protocol, regression)
            candidates.append(Candidate(method, "model", result, regression.bias))
        candidates += _baselines(landmark_set, protocol, regression, reduced, ceilings)
        result = evaluate_regression(grid_keypoints(count, landmark_set.sizes), landmark_set, protocol, regression)
        candidates.append(Candidate(f"fixed grid of {count}", "baseline", result, regression.bias))
        rows += _rows(candidates, protocol, regression)
    return rows


def evaluate_regression(
    keypoints_px: Points, landmark_set: LandmarkSet, protocol: Protocol, regression: Regression
) -> Evaluation:
    """Evaluate a forward regression on keypoints [images of the set, keypoints, 2] in pixels of the images that models see."""
    keypoints = regression.frame.place(keypoints_px, landmark_set.sizes, regression.origin)
    placed = place(landmark_set, protocol, regression)
    fit, test = keypoints[landmark_set.fit], keypoints[landmark_set.test]
    return placed.regress(fit, test, bias=regression.bias, ridge=regression.ridge)


def _backward(
    keypoints_px: Points, names: list[str], landmark_set: LandmarkSet, protocol: Protocol, regression: Regression, method: str
) -> list[MeasuredRow]:
    """Evaluate the regression from landmarks to keypoints, on images without hidden landmarks. Its floor: mean keypoints."""
    keypoints = regression.frame.place(keypoints_px, landmark_set.sizes, regression.origin)
    landmarks = regression.frame.place(landmark_set.landmarks_px, landmark_set.sizes, regression.origin)
    unit = place(landmark_set, protocol, regression).unit
    complete = np.asarray(~np.isnan(landmarks).any(axis=(1, 2)))
    fit, shown = landmark_set.fit[complete[landmark_set.fit]], complete[landmark_set.test]
    test = landmark_set.test[shown]
    if not len(fit) or not len(test):
        return []
    targets = Placed(fit=keypoints[fit], test=keypoints[test], unit=unit[shown])
    regressed = targets.regress(landmarks[fit], landmarks[test], bias=regression.bias, ridge=regression.ridge)
    candidates = [Candidate(method, "model", regressed, True), Candidate("mean keypoints", "floor", targets.mean_shape(), True)]
    return _rows(candidates, protocol, regression, names)


def align(predictions: Predictions, landmark_set: LandmarkSet, used: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Sort predicted keypoints into the order of a set's images.

    Args:
        predictions: predictions of the used images; other images are ignored.
        landmark_set: annotated images.
        used: indices of the images to align; by default all fitting and test images.

    Returns:
        float64 [images of the set, keypoints, 2] in pixels of the set's images; zeros for unused images.

    Raises:
        InputError: predictions are missing for some used images, or belong to images of another size.
    """
    position = {name: index for index, name in enumerate(predictions.images)}
    used = landmark_set.used if used is None else used
    missing = [landmark_set.images[index] for index in used if landmark_set.images[index] not in position]
    if missing:
        raise InputError(f"predictions lack {len(missing):,} images, the first is {missing[0]}; predict these images too")
    source = np.array([position[landmark_set.images[index]] for index in used])
    differ = np.flatnonzero((predictions.sizes[source] != landmark_set.file_sizes[used]).any(axis=1))
    if len(differ):
        name = landmark_set.images[used[differ[0]]]
        raise InputError(f"the predictions of {name} belong to an image of another size; predict this data set again")
    aligned = np.zeros((len(landmark_set.images), *predictions.keypoints_px.shape[1:]))
    aligned[used] = landmark_set.to_image_px(predictions.keypoints_px[source], used)
    return aligned


def _baselines(
    landmark_set: LandmarkSet,
    protocol: Protocol,
    regression: Regression,
    reduced: Sequence[Features],
    ceilings: Sequence[tuple[str, Points]],
) -> list[Candidate]:
    placed = place(landmark_set, protocol, regression)
    candidates = [Candidate("mean shape", "floor", placed.mean_shape(), True)]
    for features in reduced:
        regressed = placed.regress(features.fit, features.test, bias=True, ridge=features.ridge or regression.ridge)
        candidates.append(Candidate(features.name, "baseline", regressed, True))
    for name, landmarks_px in ceilings:
        landmarks = regression.frame.place(landmarks_px, landmark_set.sizes, regression.origin)
        candidates.append(Candidate(name, "ceiling", placed.measure(landmarks[landmark_set.test]), True))
    return candidates


def _rows(
    candidates: Sequence[Candidate], protocol: Protocol, regression: Regression, names: Sequence[str] | None = None
) -> list[MeasuredRow]:
    """Build the rows of one regression. The rows of other methods also hold the model's error minus their own error."""
    model = candidates[0].evaluation if candidates[0].kind == "model" else None
    rows = []
    for candidate in candidates:
        row = _row(candidate, protocol, regression, names)
        if model is not None and candidate.kind != "model":
            summed = protocol.summed and not regression.backward
            row = replace(row, difference=paired_difference(model.errors, candidate.evaluation.errors, summed=summed))
        rows.append(MeasuredRow(row, candidate.evaluation))
    return rows


def _row(candidate: Candidate, protocol: Protocol, regression: Regression, names: Sequence[str] | None = None) -> Row:
    method, kind, result, bias = candidate
    score, limits = result.score, protocol.thresholds
    return Row(
        method=method,
        kind=kind,
        regression=regression.name,
        bias=bias,
        headline=regression.headline,
        mean_of_ratios=score.mean_of_ratios,
        ratio_of_means=score.ratio_of_means,
        median=score.median,
        interval95=score.interval95,
        per_point={name: _known(value) for name, value in zip(names or protocol.landmarks, score.per_point, strict=True)},
        pck=dict(zip([f"{limit:g}" for limit in limits], pck_percent(result.errors, limits), strict=True)),
        auc=auc_percent(result.errors, limits[-1]),
        rank=result.rank,
        columns=result.columns,
        note=_note(candidate, regression),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _note(candidate: Candidate, regression: Regression) -> str:
    kind, result = candidate.kind, candidate.evaluation
    notes: Sequence[str] = (
        f"input has rank {result.rank} of {result.columns}" if result.rank < result.columns else "",
        "with bias" if kind == "baseline" and candidate.bias and not regression.bias else "",
        "no regression" if kind == "ceiling" else "",
    )
    return "; ".join(note for note in notes if note)
