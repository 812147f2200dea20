"""Charts and pictures of the report, as PNG data URIs.

They are readable in grey: lines differ in dashes and marks, areas in shade and outline, predicted and true points in shape.
The charts of keypoint motion show the positions of each keypoint in a set of images, and how far the keypoint moves.
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

from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.images.arrays import Image, scaled_down
from kpdetect.inference.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


WIDTH = 1280
"""Width in pixels of a grid of pictures."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture of a grid.

    Attributes:
        image: uint8 RGB [height, width, 3].
        predicted_px: [points, 2], drawn as filled circles.
        true_px: [points, 2], drawn as crosses.
        caption: one line above the picture.
    """

    image: Image
    predicted_px: NDArray[np.floating]
    true_px: NDArray[np.floating]
    caption: str = ""


def data_uri(encoded: bytes, kind: str = "png") -> str:
    """Encode the bytes of a picture, `png` or `jpeg`, as a data URI, which a page can embed."""
    return f"data:image/{kind};base64," + base64.b64encode(encoded).decode("ascii")


def picture(image: Image, longest: int) -> str:
    """Encode an image as a data URI, scaled down so that its longer side has at most `longest` pixels."""
    scale = min(1.0, longest / max(image.shape[:2]))
    if scale < 1:
        image = scaled_down(image, scale)
    return data_uri(cv2.imencode(".png", image[..., ::-1])[1].tobytes())


def tile_grid(tiles: Sequence[Tile], columns: int = 8) -> str:
    """Draw pictures with their points in a grid of a fixed width, as a data URI."""
    rows, side = -(-len(tiles) // columns), WIDTH // columns
    figure = new_figure(width=WIDTH / 100, height=rows * (side + 20) / 100)
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
    """Create an empty figure of `width` x `height` inches."""
    from matplotlib.figure import Figure  # without pyplot, which needs a window system and global state

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def png_uri(figure: Figure) -> str:
    """Encode a figure as a data URI, which a page can embed."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return data_uri(buffer.getvalue())


def chosen_sheets(samples: Path) -> list[Path]:
    """Choose the first, the middle and the last sample sheet of a run folder; file names sort by step."""
    sheets = sorted(samples.glob("*.png"))
    return list(dict.fromkeys(sheets[place] for place in (0, len(sheets) // 2, -1))) if sheets else []


NOT_PLOTTED = frozenset({"step", "seconds", "images", "rate"})
MAX_PANELS = 16
BINS, STEPS = 40, 201
STYLES = (
    ("black", "-", "o"), ("0.25", "--", "s"), ("0.45", ":", "^"), ("0.1", "-.", "D"), ("0.55", "--", "v"), ("0.35", "-", "x"),
    ("0.45", "-.", "P"), ("0.2", ":", "*"), ("0.6", "-", "<"), ("0.3", "--", ">"),
)  # fmt: skip
"""Colour, line style and mark of the curves, used in turn."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Errors per image of a model and of the mean shape (floor).

    Attributes:
        name: name of the model.
        errors: [images], the model's mean error in each image.
        floor: [images], the mean shape's mean error in each image.
        mean, floor_mean: mean of ratios of the model and of the mean shape, as in the table.
    """

    name: str
    errors: NDArray[np.floating]
    floor: NDArray[np.floating]
    mean: float
    floor_mean: float


def error_histograms(histograms: Sequence[Histogram], metric: str) -> str:
    """Draw one panel per model: the model's errors filled, the floor's outlined; the last bin holds all larger errors."""
    top = 1.15 * max(float(np.quantile(np.concatenate([model.errors, model.floor]), 0.97)) for model in histograms)
    figure = new_figure(width=7.5, height=2.3 * len(histograms) + 0.3)
    for number, model in enumerate(histograms, start=1):
        axes = figure.add_subplot(len(histograms), 1, number)
        bins = np.linspace(0, top, BINS + 1).tolist()
        axes.hist(np.minimum(model.errors, top), bins=bins, color="0.75", edgecolor="0.45", linewidth=0.5, label=model.name)
        axes.hist(np.minimum(model.floor, top), bins=bins, histtype="step", color="black", linestyle=":", label="mean shape")
        axes.axvline(model.mean, color="black", linewidth=1.5, label=f"{model.name}: {model.mean:.2f}")
        axes.axvline(
            model.floor_mean, color="black", linewidth=1.5, linestyle="--", label=f"mean shape: {model.floor_mean:.2f}"
        )
        axes.set_xlim(0, top)
        axes.set_ylabel("test images", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7)
    axes.set_xlabel(f"mean error of an image: {metric}", fontsize=8)
    return png_uri(figure)


def pck_curves(errors: Mapping[str, NDArray[np.floating]], floor: str, limit: float, metric: str) -> str:
    """Draw PCK curves (percentage of correct keypoints): for each method, the percentage of points with up to each error.

    Args:
        errors: errors [images, landmarks] by method; NaN where hidden.
        floor: the method whose errors determine the range of the axis.
        limit: upper limit of the area under the curve that the table shows as AUC.
        metric: the error measure in words.
    """
    values = {name: array[~np.isnan(array)] for name, array in errors.items()}
    right = max(limit, float(np.quantile(values[floor], 0.95)))
    places = np.linspace(0, right, STEPS)
    figure = new_figure(width=7.5, height=3.8)
    axes = figure.add_subplot()
    for (name, visible), (colour, line, mark) in zip(values.items(), cycle(STYLES), strict=False):
        share = 100 * np.searchsorted(np.sort(visible), places, side="right") / len(visible)
        axes.plot(
            places, share, color=colour, linestyle=line, marker=mark, markevery=20, markersize=4, linewidth=1.3, label=name
        )
    axes.axvline(limit, color="0.6", linewidth=1)
    axes.set_xlim(0, right)
    axes.set_ylim(0, 100)
    axes.set_xlabel(f"error: {metric}", fontsize=8)
    axes.set_ylabel("% of points up to that error", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(color="0.9")
    axes.legend(fontsize=7, loc="lower right")
    return png_uri(figure)


def curves(rows: Sequence[dict[str, Any]]) -> str | None:
    """Draw one panel per logged number over the training step; return None if no number was logged."""
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
    names: dict[str, None] = {}
    for row in rows:
        names.update({name: None for name, value in row.items() if _is_number(value)})
    return list(names)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


MAX_DOTS = 400
"""Largest number of images whose keypoints are drawn as dots; the numbers use all images."""
SEEN = (0.002, 0.998)
"""Quantiles of the keypoints' positions that limit the chart."""
MARGIN = np.array([[-0.02], [0.02]])
"""Margin around these limits, so that the chart of keypoints that never move has an extent."""
NUMBER_SIZE = (0.05, 0.05)
"""Width and height of a number as shares of the chart."""
NUMBER = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.5, "alpha": 0.85, "pad": 1.0}


def motion_section(predictions: Predictions, where: str) -> dict[str, Any]:
    """Build the section of the report about keypoint motion.

    Args:
        predictions: keypoints in the images.
        where: the images in words.
    """
    sizes, numbers = np.asarray(predictions.sizes, np.float64), predictions.points.numbers
    shares = (np.asarray(predictions.keypoints_px, np.float64) + 0.5) / sizes[:, None, ::-1]
    motion = keypoint_motion(shares)
    least, most = motion.argmin(), motion.argmax()
    return {
        "title": "Keypoint motion",
        "text": f"The chart shows the positions of each keypoint in {where}, and how far the keypoint moves between images "
        f"(standard deviation in % of the side). Keypoint {numbers[least]} moves least ({motion[least]:.1f} %), keypoint "
        f"{numbers[most]} moves most ({motion[most]:.1f} %). A keypoint that does not move does not depend on the image. "
        "Numbers that would cover each other are left out of the chart.",
        "pictures": [motion_chart(shares, numbers)],
    }


def keypoint_motion(keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure how far each keypoint moves over the images.

    Args:
        keypoints: [images, keypoints, 2], as shares of the image's width and height.

    Returns:
        [keypoints], the root of the summed variances of x and y, in percent of the side; 0 if the keypoint never moves.
    """
    return np.asarray(100 * np.sqrt(np.asarray(keypoints, np.float64).var(axis=0).sum(axis=-1)), np.float64)


def motion_chart(keypoints: NDArray[np.floating], numbers: Sequence[int]) -> str:
    """Draw positions and motion of keypoints [images, K, 2] (shares of width and height), with their numbers, as a data URI."""
    motion, means = keypoint_motion(keypoints), keypoints.mean(axis=0)
    rows = evenly_spaced(len(keypoints), MAX_DOTS)
    figure = new_figure(width=10, height=4.6)
    axes = figure.add_subplot(1, 2, 1)
    (left, top), (right, bottom) = np.quantile(keypoints, SEEN, axis=(0, 1)) + MARGIN
    readable = _apart(means, (NUMBER_SIZE[0] * (right - left), NUMBER_SIZE[1] * (bottom - top)))
    for place, (number, mean, (_, _, mark)) in enumerate(zip(numbers, means, cycle(STYLES), strict=False)):
        x, y = keypoints[rows, place].T
        axes.scatter(x, y, s=6, c=str(0.4 + 0.2 * (place % 3)), marker=mark, linewidths=0.5, alpha=0.4)
        if place in readable:
            axes.annotate(str(number), mean, fontsize=9, fontweight="bold", ha="center", va="center", bbox=NUMBER, zorder=3)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="share of the width", ylabel="share of the height")
    bars = figure.add_subplot(1, 2, 2)
    bars.bar(np.arange(len(motion)), motion, color="0.7", edgecolor="0.3")
    top_of_axis = max(1.1 * float(motion.max()), 0.1)
    bars.set(xlabel="keypoint", ylabel="motion, % of the side", ylim=(0, top_of_axis))
    bars.set_xticks(np.arange(len(motion)), [str(number) for number in numbers])
    for panel in (axes, bars):
        panel.tick_params(labelsize=7)
    return png_uri(figure)


def _apart(centres: NDArray[np.floating], size: tuple[float, float]) -> list[int]:
    """Choose labels, of a common size and with centres [K, 2], that do not cover each other; the first ones win."""
    kept: list[int] = []
    for place, centre in enumerate(centres):
        if all((np.abs(centre - centres[other]) >= size).any() for other in kept):
            kept.append(place)
    return kept
