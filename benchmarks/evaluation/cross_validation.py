"""For choosing between models: the error by cross-validation inside the fitting images, so that the test images stay unread.

Five folds, ten shuffles; every image is predicted by a regression fitted on the other four folds. Images that look alike
because they belong together (frames in a row) are in one fold. The spread over shuffles says how much of a difference is the
luck of the folds, not how the models would differ on other images.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.contamination import Contamination
from benchmarks.evaluation.evaluate import Placed, Points
from benchmarks.evaluation.regression import fit_regression
from benchmarks.metrics.units import unit_lengths
from benchmarks.protocol.definition import Protocol, Regression
from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.training.run_folder import environment

FOLDS, SHUFFLES = 5, 10
Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Images to fit on and images to measure on."""


@dataclass(frozen=True, kw_only=True)
class CrossValidated:
    """One line; errors in the numbers of the protocol's metric, means over the shuffles.

    Attributes:
        method: `mean shape` or the model.
        regression: as in the protocol.
        mean_of_ratios, ratio_of_means, median: see `NmeScore`.
        spread: standard deviation of `mean_of_ratios` over the shuffles.
    """

    method: str
    regression: str
    mean_of_ratios: float
    ratio_of_means: float
    median: float
    spread: float


def cross_validate(keypoints_px: Points, landmark_set: LandmarkSet, protocol: Protocol, method: str) -> list[CrossValidated]:
    """Every regression of a protocol, and the mean shape in its frame.

    Args:
        keypoints_px: [fitting images, keypoints, 2] in pixels of the images as shown, in the order of `landmark_set.fit`.
        landmark_set: annotated images; only those of `fit` are looked at.
        protocol: how to measure.
        method: name of the model.

    Raises:
        InputError: too few fitting images, or groups of them.
    """
    if len(landmark_set.fit) < 2 * FOLDS:
        raise InputError(f"{landmark_set.name}: {len(landmark_set.fit)} images to fit; cross-validation needs {2 * FOLDS}")
    sizes, truth_px = landmark_set.sizes[landmark_set.fit], landmark_set.landmarks_px[landmark_set.fit]
    names = [landmark_set.images[index] for index in landmark_set.fit]
    groups = np.arange(len(truth_px)) if landmark_set.groups is None else landmark_set.groups[landmark_set.fit]
    if len(np.unique(groups)) < FOLDS:
        raise InputError(f"{landmark_set.name}: {len(np.unique(groups))} groups to fit on; cross-validation needs {FOLDS}")
    forward, rows = [regression for regression in protocol.regressions if not regression.backward], []
    for regression in sorted(forward, key=lambda regression: not regression.headline):
        truth = regression.frame.place(truth_px, sizes, regression.origin)
        unit = unit_lengths(protocol, truth, regression.frame.extents(sizes), names)
        placed = Placed(
            fit=truth,
            test=truth,
            unit=unit,
            exchanged=protocol.exchanged,
            distance=protocol.distance,
            summed=protocol.summed,
            names=protocol.landmarks,
        )
        keypoints = regression.frame.place(keypoints_px, sizes, regression.origin)
        shuffles = splits(groups)
        rows.append(_line(method, regression, placed, [_regressed(keypoints, placed, parts, regression) for parts in shuffles]))
        rows.append(_line("mean shape", regression, placed, [_mean_shape(placed, parts) for parts in shuffles]))
    return rows


def splits(groups: NDArray[np.int64]) -> list[list[Split]]:
    """For each shuffle the folds of images, given the group [images] that each belongs to; a group is never divided."""
    names, members = np.unique(groups, return_inverse=True)
    found = []
    for shuffle in range(SHUFFLES):
        order = np.random.default_rng(shuffle).permutation(len(names))
        parts = [np.flatnonzero(np.isin(members, order[fold::FOLDS])) for fold in range(FOLDS)]
        found.append([(np.setdiff1d(np.arange(len(groups)), part), part) for part in parts])
    return found


def _regressed(keypoints: Points, placed: Placed, parts: list[Split], regression: Regression) -> NDArray[np.float64]:
    predicted = np.empty_like(placed.fit)
    for fit, check in parts:
        fitted = fit_regression(
            keypoints[fit],
            placed.fit[fit],
            bias=regression.bias,
            ridge=regression.ridge,
            exchanged=placed.exchanged,
            names=placed.names,
        )
        predicted[check] = fitted(keypoints[check])
    return predicted


def _mean_shape(placed: Placed, parts: list[Split]) -> NDArray[np.float64]:
    predicted = np.empty_like(placed.fit)
    for fit, check in parts:
        predicted[check] = replace(placed, fit=placed.fit[fit]).mean_landmarks()
    return predicted


def _line(method: str, regression: Regression, placed: Placed, predicted: list[NDArray[np.float64]]) -> CrossValidated:
    scores = [placed.measure(each).score for each in predicted]
    means = [score.mean_of_ratios for score in scores]
    return CrossValidated(
        method=method,
        regression=regression.name + (" (headline)" if regression.headline else ""),
        mean_of_ratios=float(np.mean(means)),
        ratio_of_means=float(np.mean([score.ratio_of_means for score in scores])),
        median=float(np.mean([score.median for score in scores])),
        spread=float(np.std(means)),
    )


def cross_validation_markdown(rows: Sequence[CrossValidated], landmark_set: LandmarkSet) -> str:
    """The lines as a table to read."""
    title = f"{landmark_set.name.upper()}, cross-validation inside the {len(landmark_set.fit):,} fitting images"
    head = [
        f"### {title} ({FOLDS} folds, {SHUFFLES} shuffles)",
        "",
        "| method | regression | mean of ratios | spread over shuffles | ratio of means | median |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines = [
        f"| {row.method} | {row.regression} | {row.mean_of_ratios:.2f} | {row.spread:.2f} "
        f"| {row.ratio_of_means:.2f} | {row.median:.2f} |"
        for row in rows
    ]
    return "\n".join(head + lines)


def write_csv(
    rows: list[CrossValidated], path: Path, landmark_set: LandmarkSet, model: str, contamination: Contamination
) -> Path:
    """The lines as a table to compute with; every line says what was measured, on what, and by which code.

    Args:
        rows: what `cross_validate` gave.
        path: of the table.
        landmark_set: what was measured on.
        model: hash of the weights.
        contamination: which of the images the model was trained on.

    Raises:
        OutputError: the file cannot be written.
    """
    import pandas as pd

    ran = environment()
    facts = {
        "data": landmark_set.name,
        "data_folder": str(landmark_set.folder),
        "lists": " ".join(f"{name}:{value}" for name, value in landmark_set.lists.items()),
        "fitted": len(landmark_set.fit),
        "trained_on": None if contamination.status == "unknown" else contamination.fit_images,
        "model": model,
        "folds": FOLDS,
        "shuffles": SHUFFLES,
        "commit": ran["commit"],
        "hardware": json.dumps(ran["hardware"]),
        "time": ran["time"],
    }
    with replacing(path) as temporary:
        pd.DataFrame([asdict(row) | facts for row in rows]).to_csv(temporary, index=False)
    return path
