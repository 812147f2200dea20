"""Timing a call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

WARM_UP = 3
"""Calls before anything is timed."""


def median_seconds(call: Callable[[], object], seconds: float) -> float:
    """Median duration of a call that is repeated for about `seconds`, at least three times; waits for a GPU to finish."""
    for _ in range(WARM_UP):
        call()
    _finish()
    durations: list[float] = []
    while sum(durations) < seconds or len(durations) < 3:
        began = time.perf_counter()
        call()
        _finish()
        durations.append(time.perf_counter() - began)
    return statistics.median(durations)


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
