"""Charts of the report as PNG data URIs, readable in grey: lines differ in dashes and marks, areas in shade and outline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import new_figure, png_uri

NOT_PLOTTED = frozenset({"step", "seconds", "images", "rate"})
MAX_PANELS = 16
BINS, STEPS = 40, 201
STYLES = (
    ("black", "-", "o"), ("0.25", "--", "s"), ("0.45", ":", "^"), ("0.1", "-.", "D"), ("0.55", "--", "v"), ("0.35", "-", "x"),
    ("0.45", "-.", "P"), ("0.2", ":", "*"), ("0.6", "-", "<"), ("0.3", "--", ">"),
)  # fmt: skip
"""Colour, line and mark of the curves, in turn."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Errors of one model's images and of the floor's.

    Attributes:
        name: of the model.
        errors: mean error of each image.
        floor: the same of the mean shape.
        mean, floor_mean: the errors as in the table.
    """

    name: str
    errors: NDArray[np.floating]
    floor: NDArray[np.floating]
    mean: float
    floor_mean: float


def error_histograms(histograms: Sequence[Histogram], metric: str) -> str:
    """A panel per model: errors per image filled, those of the floor outlined; the last bin holds everything above."""
    top = 1.15 * max(float(np.quantile(np.concatenate([each.errors, each.floor]), 0.97)) for each in histograms)
    figure = new_figure(width=7.5, height=2.3 * len(histograms) + 0.3)
    for number, each in enumerate(histograms, start=1):
        axes = figure.add_subplot(len(histograms), 1, number)
        bins = np.linspace(0, top, BINS + 1).tolist()
        axes.hist(np.minimum(each.errors, top), bins=bins, color="0.75", edgecolor="0.45", linewidth=0.5, label=each.name)
        axes.hist(np.minimum(each.floor, top), bins=bins, histtype="step", color="black", linestyle=":", label="mean shape")
        axes.axvline(each.mean, color="black", linewidth=1.5, label=f"{each.name}: {each.mean:.2f}")
        axes.axvline(each.floor_mean, color="black", linewidth=1.5, linestyle="--", label=f"mean shape: {each.floor_mean:.2f}")
        axes.set_xlim(0, top)
        axes.set_ylabel("test images", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7)
    axes.set_xlabel(f"mean error of an image: {metric}", fontsize=8)
    return png_uri(figure)


def pck_curves(errors: Mapping[str, NDArray[np.floating]], floor: str, limit: float, metric: str) -> str:
    """Percent of visible points within each error, a curve for each method; the area up to `limit` is the table's AUC.

    Args:
        errors: [images, landmarks] by method, NaN where hidden.
        floor: the method whose errors decide how far the axis goes.
        limit: where the area ends.
        metric: what an error is.
    """
    values = {name: each[~np.isnan(each)] for name, each in errors.items()}
    right = max(limit, float(np.quantile(values[floor], 0.95)))
    places = np.linspace(0, right, STEPS)
    figure = new_figure(width=7.5, height=3.8)
    axes = figure.add_subplot()
    for (name, each), (colour, line, mark) in zip(values.items(), cycle(STYLES), strict=False):
        share = 100 * np.searchsorted(np.sort(each), places, side="right") / len(each)
        axes.plot(
            places, share, color=colour, linestyle=line, marker=mark, markevery=20, markersize=4, linewidth=1.3, label=name
        )
    axes.axvline(limit, color="0.6", linewidth=1)
    axes.set_xlim(0, right)
    axes.set_ylim(0, 100)
    axes.set_xlabel(f"error: {metric}", fontsize=8)
    axes.set_ylabel("% of points within it", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(color="0.9")
    axes.legend(fontsize=7, loc="lower right")
    return png_uri(figure)


def curves(rows: Sequence[dict[str, Any]]) -> str | None:
    """One panel per logged number over the step; None when there is nothing to draw."""
    names = [name for name in _numeric(rows) if name not in NOT_PLOTTED][:MAX_PANELS]
    if not names:
        return None
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure = new_figure(width=2.7 * columns, height=1.9 * lines)
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(lines, columns, number)
        points = [(row["step"], row[name]) for row in rows if _is_number(row.get(name)) and "step" in row]
        axes.plot(*zip(*points, strict=True), color="black", linewidth=1)
        axes.set_title(name, fontsize=8)
        axes.tick_params(labelsize=6)
        axes.set_xlabel("step", fontsize=6)
    return png_uri(figure)


def _numeric(rows: Iterable[dict[str, Any]]) -> list[str]:
    found: dict[str, None] = {}
    for row in rows:
        found.update({name: None for name, value in row.items() if _is_number(value)})
    return list(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
