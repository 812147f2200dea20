"""Two computations that take turns, and a row of the speed table: the rate of one, and its ratio to the other.

`benchmarks.speed.everything.SOURCES` lists the modules with contests. Each module has a generator function
`contests(setting)`, so that a contest can clean up before the next one begins.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.speed.timing import Spent, median_share, spent
from kpdetect.files.records import Record
from kpdetect.training.runtime import Runtime

CONVOLUTION = "a convolution of 256 channels"
CONVOLUTION_GFLOP = 2 * 8 * 32 * 32 * 256 * 256 * 9 / 1e9
"""GFLOP of the 3x3 convolution of 256 channels on 8 images of 32 px."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Settings of all contests.

    Attributes:
        runtime: device and precision.
        quick: whether to use small networks and few turns.
    """

    runtime: Runtime
    quick: bool

    @property
    def turns(self) -> int:
        """Number of turns of each computation."""
        return 2 if self.quick else 7

    @property
    def seconds(self) -> float:
        """Shortest duration of a turn in seconds."""
        return 0.1 if self.quick else 1.5


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A computation whose speed is measured, and the computation that it is compared with (the base).

    Attributes:
        name: name of the computation, unique in the table.
        work: function that runs the computation.
        amount, unit: number of things that one call of `work` processes, and their name.
        base: name of the base.
        base_work: function that runs the base.
        base_amount: number of things that one call of `base_work` processes.
    """

    name: str
    work: Callable[[], object]
    amount: float
    unit: str
    base: str
    base_work: Callable[[], object]
    base_amount: float


class Row(Record):
    """One line of the speed table."""

    name: str
    """Name of the computation."""
    unit: str
    """Name of the things that are counted."""
    per_second: float
    """Number of things per second by the clock; the median over turns."""
    base: str
    """Name of the computation that this one is compared with."""
    ratio: float
    """Rate divided by the rate of the base, by the clock; the median over turns."""
    processor_ratio: float
    """The ratio by processor time, which other work on the machine hardly changes."""


def row_of(contest: Contest, setting: Setting) -> Row:
    """Measure a contest: both computations take turns, after one turn each that does not count."""
    works = (contest.work, contest.base_work)
    repeats = [max(1, math.ceil(setting.seconds / max(_last(work).seconds, 1e-9))) for work in works]
    turns: tuple[list[Spent], list[Spent]] = ([], [])
    for _ in range(setting.turns):
        for kept, work, count in zip(turns, works, repeats, strict=True):
            kept.append(_each(spent(lambda work=work, count=count: [work() for _ in range(count)]), count))  # type: ignore[misc]
    share, factor = median_share(turns[0], turns[1]), contest.amount / contest.base_amount
    return Row(
        name=contest.name,
        unit=contest.unit,
        per_second=contest.amount / statistics.median(turn.seconds for turn in turns[0]),
        base=contest.base,
        ratio=share.clock * factor,
        processor_ratio=share.processor * factor,
    )


def _last(work: Callable[[], object]) -> Spent:
    """Measure the second of two calls; the first call includes the set-up."""
    work()
    return spent(work)


def _each(whole: Spent, count: int) -> Spent:
    return Spent(seconds=whole.seconds / count, processor=max(whole.processor, 1e-9) / count)


def convolution(runtime: Runtime) -> Callable[[], object]:
    """Return a call of the convolution that networks are compared with, in the precision of the runtime."""
    conv = nn.Conv2d(256, 256, 3, padding=1).to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(8, 256, 32, 32, device=runtime.device).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def call() -> object:
        with runtime.autocast():
            return conv(images)

    return call
