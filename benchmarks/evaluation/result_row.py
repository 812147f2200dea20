"""The line of a result: who, under which regression, how well, and how far from the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from benchmarks.metrics.difference import Difference

Kind = Literal["model", "floor", "baseline", "ceiling"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a result; errors in the numbers of the protocol's metric, percent unless its unit is the pixel.

    Attributes:
        method: what made the prediction.
        kind: the model itself, the mean-shape floor, another baseline, or a detector that was given labels (ceiling).
        regression: name of the regression within the protocol.
        bias: whether the regression has a constant term.
        headline: whether this regression is the protocol's headline.
        mean_of_ratios, ratio_of_means, median, interval95: see `NmeScore`.
        per_point: mean of ratios by landmark name; None for one that no test image shows.
        pck: percent of points with an error of at most each of the protocol's thresholds.
        auc: area under the PCK curve up to the last threshold, in percent.
        rank, columns: see `Evaluation`.
        difference: the model's error minus this row's, same regression; None for the model itself and without one.
        note: what a reader has to know about this row, or empty.
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
