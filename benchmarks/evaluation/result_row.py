"""The row of a result: a method, a regression, the errors, and the difference from the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from benchmarks.metrics.difference import Difference

Kind = Literal["model", "floor", "baseline", "ceiling"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a result; errors are in the protocol's metric: percent, or pixels if its unit is the pixel.

    Attributes:
        method: name of the method that predicts the landmarks.
        kind: `model`, `floor` (the mean shape), `baseline` (any other), or `ceiling` (a detector trained on labels).
        regression: name of the regression within the protocol.
        bias: whether the regression has a constant term.
        headline: whether this regression is the protocol's main regression (headline).
        mean_of_ratios, ratio_of_means, median, interval95: see `NmeScore`.
        per_point: mean of ratios by landmark name; None for a landmark that no test image shows.
        pck: percentage of points with an error up to a threshold, by the protocol's thresholds.
        auc: area under the PCK curve up to the last threshold, in percent.
        rank, columns: see `Evaluation`.
        difference: the model's error minus this row's error in the same regression; None for the model, or without a model.
        note: caution about this row for the reader; empty without one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    method: str
    kind: Kind
    regression: str
    bias: bool
    headline: bool
    mean_of_ratios: float
    ratio_of_means: float
    median: float
    interval95: tuple[float, float]
    per_point: dict[str, float | None]
    pck: dict[str, float]
    auc: float
    rank: int
    columns: int
    difference: Difference | None = None
    note: str = ""
