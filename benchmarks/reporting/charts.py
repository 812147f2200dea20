"""Charts of the report as PNG data URIs, readable in grey: lines differ in dashes and marks, areas in shade and outline.

Pictures of the report as PNG data URIs, readable in grey: predicted and true points differ in shape.

Keypoint motion: where each keypoint lies in a set of images, and how far it moves between them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.images.arrays import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure


TILE = 160
"""Side in pixels of one picture of a grid."""
LABEL = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5}


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture of a grid.

    Attributes:
        image: uint8 RGB [height, width, 3].
        predicted_px: [points, 2], drawn as filled circles.
        true_px: [points, 2] drawn as crosses, or None.
        caption: one line above the picture.
    """

    image: Image
    predicted_px: NDArray[np.floating]
    true_px: NDArray[np.floating] | None = None
    caption: str = ""


def data_uri(png: bytes) -> str:
    """PNG bytes as a text that a page can embed."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def picture(image: Image, longest: int) -> str:
    """An image, scaled down to at most `longest` pixels a side."""
    scale = min(1.0, longest / max(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return data_uri(cv2.imencode(".png", image[..., ::-1])[1].tobytes())


def tile_grid(tiles: Sequence[Tile], columns: int = 8) -> str:
    """Pictures with their points in a grid."""
    rows = -(-len(tiles) // columns)
    figure = new_figure(width=columns * TILE / 100, height=rows * (TILE + 20) / 100)
    for number, tile in enumerate(tiles, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(tile.image)
        axes.set_axis_off()
        axes.set_title(tile.caption, fontsize=7)
        _mark(axes, tile)
    return png_uri(figure)


def _mark(axes: Any, tile: Tile) -> None:
    colours = _colours(len(tile.predicted_px))
    x, y = np.asarray(tile.predicted_px, float).T
    axes.scatter(x, y, s=22, c=colours, edgecolors="white", linewidths=0.8)
    if tile.true_px is None:
        for number, (left, top) in enumerate(tile.predicted_px):
            axes.annotate(str(number), (left, top), (3, 3), textcoords="offset points", fontsize=6, bbox=LABEL)
    else:
        for ends in zip(tile.predicted_px, tile.true_px, strict=True):
            axes.plot(*np.asarray(ends, float).T, color="white", linewidth=1.0)
        x, y = np.asarray(tile.true_px, float).T
        axes.scatter(x, y, s=26, c="black", marker="x", linewidths=2.2)
        axes.scatter(x, y, s=20, c="yellow", marker="x", linewidths=1.0)
    height, width = tile.image.shape[:2]
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _colours(count: int) -> Any:
    import matplotlib

    return matplotlib.colormaps["hsv"](np.arange(count) / max(count, 1))


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches."""
    from matplotlib.figure import Figure  # drawn without pyplot: no window system, no global state

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def png_uri(figure: Figure) -> str:
    """A figure as a text that a page can embed."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return data_uri(buffer.getvalue())


def chosen_sheets(samples: Path) -> list[Path]:
    """Sample sheets of a run folder to show: of the beginning, the middle and the end; names sort by step."""
    sheets = sorted(samples.glob("*.png"))
    return list(dict.fromkeys(sheets[place] for place in (0, len(sheets) // 2, -1))) if sheets else []


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


MAX_DOTS = 400
"""Images whose keypoints are drawn as dots; the numbers use all."""
SEEN = (0.002, 0.998)
"""Quantiles of the places that the chart reaches to."""
MARGIN = np.array([[-0.02], [0.02]])
"""Around them; keypoints that stay in one place have no extent of their own."""
NUMBER = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.5, "alpha": 0.85, "pad": 1.0}


def motion_section(keypoints_px: NDArray[np.floating], sizes: NDArray[np.integer], where: str) -> dict[str, Any]:
    """How keypoints [images, K, 2] in pixels of images of `sizes` [images, 2] (height, width) move."""
    shares = (np.asarray(keypoints_px, np.float64) + 0.5) / np.asarray(sizes, np.float64)[:, None, ::-1]
    motion = keypoint_motion(shares)
    least, most = int(motion.argmin()), int(motion.argmax())
    return {
        "title": "Keypoint motion",
        "text": f"Where each keypoint lies in {where}, and how far it moves between them (standard deviation in % of the "
        f"side): keypoint {least} the least, {motion[least]:.1f} %, keypoint {most} the most, {motion[most]:.1f} %. A keypoint "
        "that does not move looks at no image.",
        "pictures": [motion_chart(shares)],
    }


def keypoint_motion(keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each keypoint [images, keypoints, 2] (shares of the image's width and height) moves over the images: root of the
    summed variances of x and y, in percent of the side. 0 is a keypoint that looks at no image."""
    return np.asarray(100 * np.sqrt(np.asarray(keypoints, np.float64).var(axis=0).sum(axis=-1)), np.float64)


def motion_chart(keypoints: NDArray[np.floating]) -> str:
    """Where each keypoint [images, keypoints, 2] (shares of the image) goes, and how far."""
    motion, means = keypoint_motion(keypoints), keypoints.mean(axis=0)
    rows = np.unique(np.linspace(0, len(keypoints) - 1, min(MAX_DOTS, len(keypoints))).round().astype(int))
    figure = new_figure(width=10, height=4.6)
    axes = figure.add_subplot(1, 2, 1)
    for number, (mean, (_, _, mark)) in enumerate(zip(means, cycle(STYLES), strict=False)):
        x, y = keypoints[rows, number].T
        axes.scatter(x, y, s=6, c=str(0.4 + 0.2 * (number % 3)), marker=mark, linewidths=0.5, alpha=0.4)
        axes.annotate(str(number), mean, fontsize=9, fontweight="bold", ha="center", va="center", bbox=NUMBER, zorder=3)
    (left, top), (right, bottom) = np.quantile(keypoints, SEEN, axis=(0, 1)) + MARGIN
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="share of the width", ylabel="share of the height")
    bars = figure.add_subplot(1, 2, 2)
    bars.bar(np.arange(len(motion)), motion, color="0.7", edgecolor="0.3")
    top_of_axis = max(1.1 * float(motion.max()), 0.1)
    bars.set(xlabel="keypoint", ylabel="motion, % of the side", xticks=np.arange(len(motion)), ylim=(0, top_of_axis))
    for each in (axes, bars):
        each.tick_params(labelsize=7)
    return png_uri(figure)
