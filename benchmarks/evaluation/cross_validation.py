"""The cross-validated error inside the fitting images, to choose between models without using the test images.

The fitting images are divided into five folds. A regression that is fitted on four folds predicts the images of the fifth.
Images that belong together, such as consecutive frames, are in one fold. This is repeated ten times with other random folds
(shuffles). The spread over the shuffles shows the influence of the random folds. It does not show how models differ on other
images.
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
from benchmarks.evaluation.placed import Placed, Points
from benchmarks.evaluation.regression import fit_regression
from benchmarks.metrics.units import unit_lengths
from benchmarks.protocol.definition import Protocol, Regression
from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.tables import without_formulas
from kpdetect.markdown import markdown_table
from kpdetect.training.run_folder import environment

FOLDS, SHUFFLES = 5, 10
Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the images to fit on, and of the images to measure on."""


@dataclass(frozen=True, kw_only=True)
class CrossValidated:
    """One row of the table of cross-validated errors, in the protocol's metric, averaged over the shuffles.

    Attributes:
        method: `mean shape` or the name of the model.
        regression: name of the regression in the protocol.
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
    """Cross-validate every forward regression of a protocol, and the mean shape in the regression's frame.

    Args:
        keypoints_px: [fitting images, keypoints, 2] in pixels of the images as the model sees them, in the order of
            `landmark_set.fit`.
        landmark_set: annotated images; only the fitting images are used.
        protocol: the protocol of the measurement.
        method: name of the model.

    Raises:
        InputError: there are too few fitting images, or too few groups of fitting images.
    """
    if len(landmark_set.fit) < 2 * FOLDS:
        fault = f"{landmark_set.name}: {len(landmark_set.fit)} fitting images"
        raise InputError(f"{fault}; cross-validation needs at least {2 * FOLDS}: fit on more images")
    sizes, truth_px = landmark_set.sizes[landmark_set.fit], landmark_set.landmarks_px[landmark_set.fit]
    names = [landmark_set.images[index] for index in landmark_set.fit]
    groups = np.arange(len(truth_px)) if landmark_set.fit_groups is None else landmark_set.fit_groups
    if len(np.unique(groups)) < FOLDS:
        fault = f"{landmark_set.name}: {len(np.unique(groups))} groups of fitting images"
        raise InputError(f"{fault}; cross-validation needs at least {FOLDS}: fit on images of more groups")
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
    """Split images into folds without dividing a group.

    Args:
        groups: [images], the group of each image.

    Returns:
        The folds of each shuffle.
    """
    names, members = np.unique(groups, return_inverse=True)
    shuffles = []
    for shuffle in range(SHUFFLES):
        order = np.random.default_rng(shuffle).permutation(len(names))
        parts = [np.flatnonzero(np.isin(members, order[fold::FOLDS])) for fold in range(FOLDS)]
        shuffles.append([(np.setdiff1d(np.arange(len(groups)), part), part) for part in parts])
    return shuffles


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
    scores = [placed.measure(landmarks).score for landmarks in predicted]
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
    """Render the rows as a Markdown table."""
    title = f"{landmark_set.name.upper()}, cross-validation inside the {len(landmark_set.fit):,} fitting images"
    header = ("method", "regression", "mean of ratios", "spread over shuffles", "ratio of means", "median")
    lines = [
        (
            row.method,
            row.regression,
            *(f"{value:.2f}" for value in (row.mean_of_ratios, row.spread, row.ratio_of_means, row.median)),
        )
        for row in rows
    ]
    return f"### {title} ({FOLDS} folds, {SHUFFLES} shuffles)\n\n{markdown_table(header, lines)}"


def write_csv(
    rows: list[CrossValidated], path: Path, landmark_set: LandmarkSet, model: str, contamination: Contamination
) -> Path:
    """Write the rows as a CSV table; every row repeats the model, the data and the code's commit.

    Args:
        rows: the result of `cross_validate`.
        path: path of the table.
        landmark_set: the annotated images.
        model: hash of the model's weights.
        contamination: which annotated images the model was trained on.

    Raises:
        OutputError: the file cannot be written.
    """
    import pandas as pd

    ran = environment()
    provenance = {
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
        without_formulas(pd.DataFrame([asdict(row) | provenance for row in rows])).to_csv(temporary, index=False)
    return path
