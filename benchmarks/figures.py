"""Pictures of the report as PNG data URIs, readable in grey: marks differ in shape, lines in dashes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.images import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE = 160
"""Side in pixels of one picture of a grid."""
NOT_PLOTTED = frozenset({"step", "seconds", "images", "rate"})
MAX_PANELS = 12
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
    figure = _figure(width=columns * TILE / 100, height=rows * (TILE + 20) / 100)
    for number, tile in enumerate(tiles, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(tile.image)
        axes.set_axis_off()
        axes.set_title(tile.caption, fontsize=7)
        _mark(axes, tile)
    return _render(figure)


def _mark(axes: Any, tile: Tile) -> None:
    colours = _colours(len(tile.predicted_px))
    x, y = np.asarray(tile.predicted_px, float).T
    axes.scatter(x, y, s=22, c=colours, edgecolors="white", linewidths=0.8)
    if tile.true_px is None:
        for number, (left, top) in enumerate(tile.predicted_px):
            axes.annotate(str(number), (left, top), (3, 3), textcoords="offset points", fontsize=6, bbox=LABEL)
    else:
        x, y = np.asarray(tile.true_px, float).T
        axes.scatter(x, y, s=26, c="black", marker="x", linewidths=2.2)
        axes.scatter(x, y, s=20, c="yellow", marker="x", linewidths=1.0)
    height, width = tile.image.shape[:2]
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _colours(count: int) -> Any:
    import matplotlib

    return matplotlib.colormaps["hsv"](np.arange(count) / max(count, 1))


def curves(rows: Sequence[dict[str, Any]]) -> str | None:
    """One panel per logged number over the step; None when there is nothing to draw."""
    names = [name for name in _numeric(rows) if name not in NOT_PLOTTED][:MAX_PANELS]
    if not names:
        return None
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure = _figure(width=2.7 * columns, height=1.9 * lines)
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(lines, columns, number)
        points = [(row["step"], row[name]) for row in rows if name in row and "step" in row]
        axes.plot(*zip(*points, strict=True), color="black", linewidth=1)
        axes.set_title(name, fontsize=8)
        axes.tick_params(labelsize=6)
        axes.set_xlabel("step", fontsize=6)
    return _render(figure)


def _numeric(rows: Iterable[dict[str, Any]]) -> list[str]:
    found: dict[str, None] = {}
    for row in rows:
        found.update({name: None for name, value in row.items() if _is_number(value)})
    return list(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def error_histogram(errors_percent: NDArray[np.floating], levels: dict[str, float], metric: str) -> str:
    """Histogram of per-image errors, with named vertical lines such as the floor; the last bin holds everything
    above."""
    top = max(float(np.quantile(errors_percent, 0.97)), *levels.values()) * 1.15
    figure = _figure(width=6.5, height=2.8)
    axes = figure.add_subplot()
    axes.hist(np.minimum(errors_percent, top), bins=40, range=(0, top), color="0.7", edgecolor="0.3")
    for (name, value), style in zip(levels.items(), cycle(("-", "--", ":", "-.")), strict=False):
        axes.axvline(value, color="black", linestyle=style, label=f"{name}: {value:.2f}")
    axes.set_xlabel(f"mean error of an image: {metric}", fontsize=8)
    axes.set_ylabel("test images", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7)
    return _render(figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # drawn without pyplot: no window system, no global state

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _render(figure: Figure) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return data_uri(buffer.getvalue())


def latest_sheet(samples: Path) -> Path | None:
    """The newest sample sheet of a run folder; names sort by step."""
    sheets = sorted(samples.glob("*.png"))
    return sheets[-1] if sheets else None
