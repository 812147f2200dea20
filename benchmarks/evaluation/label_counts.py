"""The error as a function of the number of annotated images that the regression is fitted on.

For each count, the regression is fitted on `DRAWS` random subsets of the fitting images; the test images stay the same. The
table shows the mean and the standard deviation over the subsets, because with few labels the choice of images can matter more
than the choice of model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.placed import Placed, Points, place
from benchmarks.protocol.definition import Protocol, Regression
from kpdetect.files.atomic import replacing
from kpdetect.files.tables import without_formulas
from kpdetect.markdown import markdown_table

COUNTS = (1, 5, 10, 50, 100, 500)
DRAWS = 10


@dataclass(frozen=True, kw_only=True)
class LabelCount:
    """The error of one method at one number of labels.

    Attributes:
        method: name of the model, or `mean shape` for the mean shape of the subset.
        regression: name of the regression in the protocol.
        labels: number of annotated images that the regression is fitted on.
        mean: mean over the subsets of the error (mean of ratios, see `NmeScore`).
        spread: standard deviation of the error over the subsets.
        draws: number of subsets.
    """

    method: str
    regression: str
    labels: int
    mean: float
    spread: float
    draws: int


def label_counts(keypoints_px: Points, landmark_set: LandmarkSet, protocol: Protocol, method: str) -> list[LabelCount]:
    """Measure errors with 1, 5, 10, 50, 100, 500 and all labels.

    There are rows for every regression from keypoints to landmarks in the frame of the protocol's main regression (headline),
    and for the mean shape.

    Args:
        keypoints_px: [images of the set, keypoints, 2] in pixels of the images as the model sees them.
        landmark_set: annotated images.
        protocol: the protocol of the measurement.
        method: name of the model.
    """
    rows: list[LabelCount] = []
    frame = protocol.headline.frame
    chosen = [regression for regression in protocol.regressions if regression.frame == frame and not regression.backward]
    for regression in sorted(chosen, key=lambda regression: not regression.headline):
        rows += _counts(keypoints_px, landmark_set, protocol, regression, method)
    return rows


def _counts(
    keypoints_px: Points, landmark_set: LandmarkSet, protocol: Protocol, regression: Regression, method: str
) -> Iterator[LabelCount]:
    placed = place(landmark_set, protocol, regression)
    keypoints = regression.frame.place(keypoints_px, landmark_set.sizes, regression.origin)
    fit, test = keypoints[landmark_set.fit], keypoints[landmark_set.test]
    total = len(fit)
    for labels in [*(count for count in COUNTS if count < total), total]:
        errors, floor = [], []
        for subset in _subsets(placed, labels):
            few = replace(placed, fit=placed.fit[subset])
            result = few.regress(fit[subset], test, bias=regression.bias, ridge=regression.ridge)
            errors.append(result.score.mean_of_ratios)
            floor.append(few.mean_shape().score.mean_of_ratios)
        name = regression.name + (" (headline)" if regression.headline else "")
        yield _line(method, name, labels, errors)
        if regression.headline:
            yield _line("mean shape", name, labels, floor)


def _subsets(placed: Placed, labels: int) -> list[NDArray[np.int64]]:
    """Draw random subsets in which every landmark is visible in some image, as the regression requires."""
    total = len(placed.fit)
    if labels == total:
        return [np.arange(total)]
    visible, subsets = ~np.isnan(placed.fit[..., 0]), []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(total)
        first = next((row for row in order if visible[row].all()), order[0])
        subsets.append(np.concatenate([[first], order[order != first][: labels - 1]]))
    return [subset for subset in subsets if visible[subset].any(axis=0).all()]


def _line(method: str, regression: str, labels: int, values: Sequence[float]) -> LabelCount:
    mean, spread = (float(np.mean(values)), float(np.std(values))) if values else (float("nan"), float("nan"))
    return LabelCount(method=method, regression=regression, labels=labels, mean=mean, spread=spread, draws=len(values))


def label_counts_markdown(rows: Sequence[LabelCount]) -> str:
    """Render the rows as a Markdown table with one column per number of labels."""
    counts = sorted({row.labels for row in rows})
    lines = {(row.method, row.regression): dict[int, str]() for row in rows}
    for row in rows:
        spread = f" ({row.spread:.2f})" if row.draws > 1 else ""
        lines[row.method, row.regression][row.labels] = f"{row.mean:.2f}{spread}"
    header = ("method", "regression", *(f"{count:,} labels" for count in counts))
    return markdown_table(header, [(*names, *(cells[count] for count in counts)) for names, cells in lines.items()])


def write_csv(rows: Sequence[LabelCount], path: Path) -> Path:
    """Write the rows as a CSV table.

    Raises:
        OutputError: the file cannot be written.
    """
    import pandas as pd

    with replacing(path) as temporary:
        without_formulas(pd.DataFrame([asdict(row) for row in rows])).to_csv(temporary, index=False)
    return path
