"""Compute the rows of a result from predictions, annotated images and a protocol. This is the second stage of a benchmark.

Each regression of the protocol has a row for the model, for the mean shape (whose error is called the floor), and for each
other baseline. Errors are measured on the test images alone, in the coordinates of the regression's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.baselines import KEYPOINTS, Features, grid_keypoints, reduce_features
from benchmarks.evaluation.placed import Evaluation, Placed, Points, place
from benchmarks.evaluation.result_row import Kind, Row
from benchmarks.metrics.difference import paired_difference
from benchmarks.metrics.nme import auc_percent, pck_percent
from benchmarks.protocol.definition import Protocol, Regression
from kpdetect.errors import InputError

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions


class Candidate(NamedTuple):
    """The content of a row: method, kind, evaluation, and whether the regression has a constant term."""

    method: str
    kind: Kind
    evaluation: Evaluation
    bias: bool


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
    reduced = [
        reduction
        for raw in features
        for reduction in reduce_features(raw, headline.fit, 2 * count, headline.names, landmark_set.fit_groups)
    ]
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
    placed = place(landmark_set, protocol, regression)
    complete = np.asarray(~np.isnan(landmarks).any(axis=(1, 2)))
    fit, shown = landmark_set.fit[complete[landmark_set.fit]], complete[landmark_set.test]
    test = landmark_set.test[shown]
    if not len(fit) or not len(test):
        return []
    groups = None if placed.groups is None else placed.groups[shown]
    targets = Placed(fit=keypoints[fit], test=keypoints[test], unit=placed.unit[shown], groups=groups)
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
            other = candidate.evaluation
            difference = paired_difference(model.errors, other.errors, summed=summed, groups=other.groups)
            row = replace(row, difference=difference)
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
