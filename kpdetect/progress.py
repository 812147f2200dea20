"""Progress of long work: done, rate, time left; a moving line on a terminal, a plain line now and then elsewhere. And what it
left out."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType

SHOWN = 5
"""Reasons that a warning gives."""


def warn_of_skipped(told: str, reasons: Sequence[str]) -> None:
    """Say on standard error what was skipped, and why, of the first `SHOWN`."""
    print(f"warning: skipped {len(reasons)} {told}:", file=sys.stderr)
    for reason in reasons[:SHOWN]:
        print(f"  {reason}", file=sys.stderr)
    if len(reasons) > SHOWN:
        print(f"  and {len(reasons) - SHOWN} more", file=sys.stderr)


class Pace:
    """Steps per second of a run, measured once: the first steps, which also set things up, are left out.

    Args:
        skipped: steps that are not measured.
        seconds: how long the measurement takes at least.
    """

    def __init__(self, skipped: int = 3, seconds: float = 8.0) -> None:
        self.skipped, self.seconds = skipped, seconds
        self.steps, self.began, self.done = 0, 0.0, False

    def measured(self, elapsed: float) -> float | None:
        """Take note of a finished step.

        Args:
            elapsed: training time so far in seconds.

        Returns:
            Steps per second when the measurement ends with this step; None before and after.
        """
        self.steps += 1
        if self.steps == self.skipped:
            self.began = elapsed
        if self.done or self.steps <= self.skipped or elapsed - self.began < self.seconds:
            return None
        self.done = True
        return (self.steps - self.skipped) / max(elapsed - self.began, 1e-9)


class Progress:
    """Counts finished items and prints how fast they come.

    Args:
        total: number of items, or None when only time limits the work.
        label: what is being done, for example "train generator".
        unit: what is counted, for example "images".
        start: items that an earlier run had finished already.
        seconds: time budget in seconds, or None; used for the time left when it ends first.
        every: seconds between plain lines when standard error is not a terminal.
    """

    def __init__(
        self,
        total: int | None,
        label: str,
        *,
        unit: str = "images",
        start: int = 0,
        seconds: float | None = None,
        every: float = 20.0,
    ) -> None:
        self.total, self.label, self.unit, self.seconds = total, label, unit, seconds
        self.done = self.start = start
        self.began = self.shown = time.monotonic()
        self.live = sys.stderr.isatty()
        self.pause = 0.2 if self.live else every

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.done > self.start:
            self._show(end="\n")

    def update(self, count: int, **values: float) -> None:
        """Add `count` finished items; `values` are shown beside the rate."""
        self.done += count
        if time.monotonic() - self.shown >= self.pause:
            self._show(end="" if self.live else "\n", **values)

    def say(self, *lines: str) -> None:
        """Print whole lines between those of the progress."""
        for line in lines:
            print(("\r\033[K" if self.live else "") + line, file=sys.stderr, flush=True)

    @property
    def rate(self) -> float:
        """Items per second since the start of this run."""
        return (self.done - self.start) / max(time.monotonic() - self.began, 1e-9)

    def _show(self, end: str, **values: float) -> None:
        self.shown = time.monotonic()
        share = f"/{self.total:,}" if self.total is not None else ""
        extra = "".join(f"  {name} {value:.3g}" for name, value in values.items())
        text = f"{self.label}: {self.done:,}{share} {self.unit}  {self.rate:.1f} {self.unit}/s  {self._remaining()}{extra}"
        lead = "\r\033[K" if self.live else ""
        print(lead + text, end=end, file=sys.stderr, flush=True)

    def _remaining(self) -> str:
        limits = []
        if self.total is not None and self.rate > 0:
            limits.append((self.total - self.done) / self.rate)
        if self.seconds is not None:
            limits.append(self.seconds - (time.monotonic() - self.began))
        if not limits:
            return "no limit"
        left = max(0, round(min(limits)))
        return f"ETA {left // 3600}:{left % 3600 // 60:02d}:{left % 60:02d}"
