"""Which images get an overlay, and what its file is called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np


def picture_names(names: Sequence[str], numbers: Collection[int]) -> dict[int, str]:
    """Name the overlays of some images, by number: a.png for a.jpg, but a.jpg.png if there is an a.tif too."""
    plain = {number: Path(names[number]).with_suffix(".png").as_posix() for number in numbers}
    stems = {name.removesuffix(".png") for name in plain.values()}
    counts = Counter(stem for name in names if (stem := os.path.splitext(name)[0]) in stems)
    return {number: f"{names[number]}.png" if counts[name.removesuffix(".png")] > 1 else name for number, name in plain.items()}


def spread_numbers(count: int, overlays: int) -> set[int]:
    """Choose `overlays` numbers below `count`, evenly; all of them if that is negative or too large."""
    if overlays < 0 or overlays >= count:
        return set(range(count))
    return set(np.linspace(0, count - 1, overlays).round().astype(int).tolist())
