"""Time calls, and compare their times."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Report = Callable[[str], object]
"""A function that gets each line as soon as it is measured, such as `print`."""
WARM_UP = 3
"""Number of calls before the timed calls."""


def median_seconds(call: Callable[[], object], seconds: float) -> float:
    """Measure the median duration of a call, which is repeated for about `seconds`, at least three times.

    On a GPU, the work of the calls is waited for.
    """
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
    """Wait until a GPU has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass(frozen=True, kw_only=True)
class Spent:
    """The duration of a call.

    Attributes:
        seconds: seconds by the clock.
        processor: seconds of processor time, all threads together; other work on the machine hardly changes it.
    """

    seconds: float
    processor: float


def spent(call: Callable[[], object]) -> Spent:
    """Time one call, including its work on a GPU and in processes that it starts and waits for."""
    began, busy = time.perf_counter(), processor_seconds()
    call()
    finish()
    return Spent(seconds=time.perf_counter() - began, processor=processor_seconds() - busy)


def processor_seconds() -> float:
    """Return the processor time of this process and of its ended children so far, in seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@dataclass(frozen=True, kw_only=True)
class Share:
    """The rate of one computation as a share of the rate of another one; the median over turns.

    Both computations process equally many things in a turn.

    Attributes:
        clock: share by the clock.
        processor: share by processor time; `clock` comes close to it if all cores are busy.
    """

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} ({self.processor:.2f} by processor time)"


def median_share(turns: Sequence[Spent], whole: Sequence[Spent]) -> Share:
    """Compute the share of the rate of `whole` that `turns` reach; each turn is compared with the same turn of `whole`."""
    return Share(
        clock=statistics.median(one.seconds / other.seconds for one, other in zip(whole, turns, strict=True)),
        processor=statistics.median(one.processor / other.processor for one, other in zip(whole, turns, strict=True)),
    )


class Stopwatch:
    """A function whose calls are timed.

    Attributes:
        call: the function.
        seconds: duration of all calls so far, in seconds.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call, self.seconds = call, 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Call the function and add the call's duration to `seconds`."""
        began = time.perf_counter()
        try:
            return self.call(*arguments)
        finally:
            self.seconds += time.perf_counter() - began
