"""Two things that take turns, and the row of a table that says how fast one of them is, alone and against the other.

A row comes from a `Contest`. Modules of contests are listed in `benchmarks.speed.everything.SOURCES`; each has a function
`contests(setting)` that yields them one after the other, so that a contest can clean up when the next one is asked for.
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
"""Of that convolution on 8 images of 32 px."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How contests are held.

    Attributes:
        runtime: device and precision.
        quick: whether small networks and few turns must do.
    """

    runtime: Runtime
    quick: bool

    @property
    def turns(self) -> int:
        """How often the two take turns."""
        return 3 if self.quick else 9

    @property
    def seconds(self) -> float:
        """How long a turn takes at least."""
        return 0.3 if self.quick else 1.5


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Something whose speed is measured, and what it is compared with.

    Attributes:
        name: of the work, unique in the table.
        work: does `amount` of `unit`.
        amount, unit: see `work`.
        base: what it is compared with.
        base_work: does `base_amount` of that.
        base_amount: see `base_work`; equal to `amount` where the ratio is a share.
    """

    name: str
    work: Callable[[], object]
    amount: float
    unit: str
    base: str
    base_work: Callable[[], object]
    base_amount: float


class Row(Record):
    """One line of the table."""

    name: str
    """What was done."""
    unit: str
    """What is counted."""
    per_second: float
    """How many in a second, by the clock; the median over turns."""
    base: str
    """What it is compared with."""
    ratio: float
    """Work per second over that of `base`, by the clock; the median over turns."""
    processor_ratio: float
    """The same by processor time, which other work on the machine hardly changes."""


def row_of(contest: Contest, setting: Setting) -> Row:
    """Let the two take turns, after one turn each that is not counted."""
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
    """The second of two calls; the first one sets things up."""
    work()
    return spent(work)


def _each(whole: Spent, count: int) -> Spent:
    return Spent(seconds=whole.seconds / count, processor=max(whole.processor, 1e-9) / count)


def convolution(runtime: Runtime) -> Callable[[], object]:
    """The convolution that networks are compared with, in the precision of the runtime."""
    conv = nn.Conv2d(256, 256, 3, padding=1).to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(8, 256, 32, 32, device=runtime.device).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def call() -> object:
        with runtime.autocast():
            return conv(images)

    return call
