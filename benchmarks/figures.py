"""Pictures of the report as PNG data URIs, readable in grey: predicted and true points differ in shape."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
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
