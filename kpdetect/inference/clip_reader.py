"""The common base class of the readers of videos, webcams and stacks of pages. A reader holds one frame at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple

from kpdetect.images.arrays import Image

UNKNOWN_RATE = 30.0
"""Frames per second assumed where a webcam or a file states none."""
SHOWN = 5
"""Largest number of gaps that a message lists."""
KEPT = "the others keep their numbers"
UNSURE = "frames shortly before may be numbered too low, because the file does not state when frames are shown"
"""What a message says about the other frames if some cannot be decoded."""


class Frame(NamedTuple):
    """One frame of a clip.

    Attributes:
        number: position in the clip, from 0. Frames that cannot be decoded are counted too.
        seconds: presentation time since the first frame; NaN if the file states no times.
        image: uint8 RGB [height, width, 3], rotated and mirrored as a player shows it.
    """

    number: int
    seconds: float
    image: Image


class ClipReader:
    """An open clip. Subclasses decode it.

    Attributes:
        name: name of the clip in messages.
        rate: frames per second, on average.
        count: number of frames according to the file; 0 if unknown.
        codec: name of the codec, or of the image format.
    """

    name: str
    rate: float = UNKNOWN_RATE
    count: int = 0
    codec: str = ""

    def __init__(self) -> None:
        self.read = 0
        self.missing: list[int] = []
        self.broken = False
        self.others = KEPT

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release the file or camera."""

    def _decoded(self, start: int, end: int | None, stride: int) -> Iterator[Frame]:
        """Decode the clip and yield the frames that `frames` returns, in order."""
        raise NotImplementedError

    def frames(self, start: int = 0, end: int | None = None, stride: int = 1) -> Iterator[Frame]:
        """Yield every `stride`-th frame from `start` to before `end`."""
        yield from self._decoded(start, end, stride)

    def shortfall(self, end: int | None = None) -> str:
        """Return a warning if frames were missing when `frames` read the clip, and an empty text otherwise."""
        expected = min([number for number in (end, self.count) if number], default=self.read + 1)
        parts = []
        if self.broken and self.read < expected:
            place = f"{self.read:,} of {self.count:,}" if self.count else f"{self.read:,}"
            parts.append(f"damaged after frame {place}; the frames before it are kept")
        if self.missing:
            frames = "frame" if len(self.missing) == 1 else "frames"
            parts.append(f"{len(self.missing):,} {frames} cannot be decoded: {_ranges(self.missing)}; {self.others}")
        return f"{self.name}: {'; '.join(parts)}" if parts else ""


def is_wanted(number: int, start: int, stride: int) -> bool:
    """Tell whether frame `number` is read if every `stride`-th frame from `start` on is read."""
    return number >= start and (number - start) % stride == 0


def _ranges(numbers: Iterable[int]) -> str:
    """Write sorted numbers as text, for example: 3, 40 to 43."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [f"{low}" if low == high else f"{low} to {high}" for low, high in runs[:SHOWN]]
    return ", ".join(shown) + (", ..." if len(runs) > SHOWN else "")
