"""Progress of long work: finished items, speed and remaining time. Functions that listen are called with it.

By default no function listens. For example, this prints the progress of a prediction:

with kpdetect.progress.listening(print):
    kpdetect.predict("faces-64", ["photos"], "keypoints")
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType


@dataclass(frozen=True, kw_only=True)
class Status:
    """The progress of some work.

    Attributes:
        label: name of the work, for example "train generator".
        unit: name of the items, for example "images".
        done: number of finished items, including those of earlier runs.
        total: number of items in all; None if only time limits the work.
        rate: items per second in this run.
        remaining: estimated remaining seconds; None if nothing limits the work.
        ended: whether this is the last status of the work.
        values: further numbers, for example losses.
    """

    label: str
    unit: str
    done: int
    total: int | None
    rate: float
    remaining: float | None
    ended: bool
    values: dict[str, float] = field(default_factory=dict)


Listener = Callable[[Status], None]
"""A function that is called after every batch of finished items, in the thread that does the work."""

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Call `listener` with every status of the work in the `with` block. If it is None, do nothing."""
    if listener is None:
        yield
        return
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def unheard() -> Iterator[None]:
    """Call no listener in the `with` block."""
    kept = _listeners[:]
    _listeners.clear()
    try:
        yield
    finally:
        _listeners[:] = kept


class Pace:
    """A single measurement of the speed of a run, in steps per second. The slow steps at the start are not measured.

    Args:
        skipped: number of steps at the start that are not measured.
        seconds: time in seconds after which the measurement ends.
        steps: number of measured steps after which the measurement ends earlier.
        most: training time in seconds after which the measurement ends in any case, but not before two steps.
    """

    def __init__(
        self, skipped: int = 3, seconds: float = 8.0, *, steps: float = float("inf"), most: float = float("inf")
    ) -> None:
        self.skipped, self.seconds, self.enough, self.most = skipped, seconds, steps, most
        self.steps, self.first, self.began, self.done = 0, 0.0, 0.0, False

    def measured(self, elapsed: float) -> float | None:
        """Record a finished step.

        Args:
            elapsed: training time so far in seconds.

        Returns:
            Steps per second when the measurement ends with this step; None before and after.
        """
        self.steps += 1
        if self.steps == 1:
            self.first = elapsed
        if self.steps == self.skipped:
            self.began = elapsed
        counted, took = self.steps - self.skipped, elapsed - self.began
        if elapsed >= self.most and counted < 1:
            counted, took = self.steps - 1, elapsed - self.first
        ended = took >= self.seconds or counted >= self.enough or elapsed >= self.most
        if self.done or counted < 1 or not ended:
            return None
        self.done = True
        return counted / max(took, 1e-9)


class Progress:
    """A counter of finished items, which reports their number and the speed to the listeners.

    Args:
        total: number of items in all; None if only time limits the work.
        label: name of the work, for example "train generator".
        unit: name of the items, for example "images".
        start: number of items that an earlier run finished.
        seconds: time budget in seconds, or None. The remaining time is that until the items or the budget end.
    """

    def __init__(
        self, total: int | None, label: str, *, unit: str = "images", start: int = 0, seconds: float | None = None
    ) -> None:
        self.total, self.label, self.unit, self.seconds = total, label, unit, seconds
        self.done = self.start = start
        self.began = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.done > self.start:
            self._tell({}, ended=True)

    def limit(self, seconds: float | None) -> None:
        """Set the time that is left of the budget, in seconds; None: only the items end the work."""
        self.seconds = None if seconds is None else time.monotonic() - self.began + seconds

    def update(self, count: int, **values: float) -> None:
        """Add `count` finished items, and report them with further numbers, `values`."""
        self.done += count
        self._tell(values, ended=False)

    @property
    def rate(self) -> float:
        """Finished items per second since the start of this run."""
        return (self.done - self.start) / max(time.monotonic() - self.began, 1e-9)

    @property
    def remaining(self) -> float | None:
        """Estimated seconds until the items are finished or the time budget ends; None if there is no limit."""
        limits = []
        if self.total is not None and self.rate > 0:
            limits.append((self.total - self.done) / self.rate)
        if self.seconds is not None:
            limits.append(self.seconds - (time.monotonic() - self.began))
        return max(0.0, min(limits)) if limits else None

    def _tell(self, values: dict[str, float], *, ended: bool) -> None:
        if not _listeners:
            return
        status = Status(
            label=self.label,
            unit=self.unit,
            done=self.done,
            total=self.total,
            rate=self.rate,
            remaining=self.remaining,
            ended=ended,
            values=values,
        )
        for listener in tuple(_listeners):
            listener(status)
