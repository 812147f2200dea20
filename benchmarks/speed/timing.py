"""Timing calls, and comparing them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Report = Callable[[str], object]
"""Gets every line as soon as it is measured; the command prints it."""
WARM_UP = 3
"""Calls before anything is timed."""


def median_seconds(call: Callable[[], object], seconds: float) -> float:
    """Median duration of a call that is repeated for about `seconds`, at least three times; waits for a GPU to finish."""
    for _ in range(WARM_UP):
        call()
    finish()
    durations: list[float] = []
    while sum(durations) < seconds or len(durations) < 3:
        began = time.perf_counter()
        call()
        finish()
        durations.append(time.perf_counter() - began)
    return statistics.median(durations)


def finish() -> None:
    """Wait for a GPU to have done what it was asked for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a call took.

    Attributes:
        seconds: by the clock.
        processor: seconds of processor time, all threads together; other work on the machine hardly changes it.
    """

    seconds: float
    processor: float


def spent(call: Callable[[], object]) -> Spent:
    """Time one call; waits for a GPU to finish."""
    began, busy = time.perf_counter(), time.process_time()
    call()
    finish()
    return Spent(seconds=time.perf_counter() - began, processor=time.process_time() - busy)


@dataclass(frozen=True, kw_only=True)
class Share:
    """How fast one thing is as a share of another that does the same amount, medians over turns.

    Attributes:
        clock: by the clock.
        processor: by processor time, which is what remains of `clock` where all cores are busy, with this or with other work.
    """

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} ({self.processor:.2f} by processor time)"


def median_share(turns: Sequence[Spent], whole: Sequence[Spent]) -> Share:
    """Share of `whole` that `turns` reach, turn by turn."""
    return Share(
        clock=statistics.median(one.seconds / other.seconds for one, other in zip(whole, turns, strict=True)),
        processor=statistics.median(one.processor / other.processor for one, other in zip(whole, turns, strict=True)),
    )


class Stopwatch:
    """A function whose calls are timed.

    Attributes:
        call: the function.
        seconds: of all calls so far.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call, self.seconds = call, 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        began = time.perf_counter()
        try:
            return self.call(*arguments)
        finally:
            self.seconds += time.perf_counter() - began
