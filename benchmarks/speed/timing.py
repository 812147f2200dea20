"""Timing calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

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
