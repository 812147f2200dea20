"""Which images get an overlay, and what its file is called."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from kpdetect.data.even_spacing import evenly_spaced


def picture_names(names: Sequence[str], numbers: Collection[int]) -> dict[int, str]:
    """Return the names of the overlay files of the images with these numbers.

    The overlay of a.jpg is a.png. If there is also an image a.tif, it is a.jpg.png. If that is the name of another overlay too,
    it is a.jpg-2.png. Names that differ only in upper and lower case count as equal, because many file systems hold only one.
    """
    plain = {number: os.path.splitext(names[number])[0] for number in sorted(numbers)}
    stems = {stem.casefold() for stem in plain.values()}
    counts = Counter(stem for name in names if (stem := os.path.splitext(name)[0].casefold()) in stems)
    chosen = {number: stem if counts[stem.casefold()] == 1 else names[number] for number, stem in plain.items()}
    taken = {stem.casefold() for number, stem in chosen.items() if counts[plain[number].casefold()] == 1}
    for number, stem in chosen.items():
        if counts[plain[number].casefold()] > 1:
            chosen[number] = free = next(name for name in _numbered(stem) if name.casefold() not in taken)
            taken.add(free.casefold())
    return {number: f"{stem}.png" for number, stem in chosen.items()}


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def spread_numbers(count: int, overlays: int) -> set[int]:
    """Choose `overlays` evenly spaced numbers below `count`. If `overlays` is negative or above `count`, choose all."""
    return set(evenly_spaced(count, count if overlays < 0 else overlays))
