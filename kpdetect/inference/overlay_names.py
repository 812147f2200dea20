"""Which images get an overlay, and what its file is called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from kpdetect.data.even_spacing import evenly_spaced


def picture_names(names: Sequence[str], numbers: Collection[int]) -> dict[int, str]:
    """Return the names of the overlay files of the images with these numbers.

    The overlay of a.jpg is a.png. If there is also an image a.tif, it is a.jpg.png.
    """
    plain = {number: Path(names[number]).with_suffix(".png").as_posix() for number in numbers}
    stems = {name.removesuffix(".png") for name in plain.values()}
    counts = Counter(stem for name in names if (stem := os.path.splitext(name)[0]) in stems)
    return {number: f"{names[number]}.png" if counts[name.removesuffix(".png")] > 1 else name for number, name in plain.items()}


def spread_numbers(count: int, overlays: int) -> set[int]:
    """Choose `overlays` evenly spaced numbers below `count`. If `overlays` is negative or above `count`, choose all."""
    return set(evenly_spaced(count, count if overlays < 0 else overlays))
