"""Measure the price of a training with real steps of a temporary trainer that writes nothing.

    trial = a trainer in the run folder `unwritten(config)` -> price_of(trial, out, ...) -> lines

The random numbers of the process are put back afterwards, so that a training that follows gives the same bits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from kpdetect.config import StrictConfig
from kpdetect.progress import Pace
from kpdetect.training.checkpoints import CHECKPOINT, load_checkpoint
from kpdetect.training.distributed import agreed
from kpdetect.training.forecast import Forecast, Line, Needs, forecast_lines, needs_lines
from kpdetect.training.loop import LEAST_PACE_STEPS, Trainer
from kpdetect.training.run_folder import RunFolder

NOWHERE = Path(os.devnull) / "trial"
"""A run folder that cannot exist. No run continues from it, and nothing is written to it."""
MOST_SECONDS = 20.0
"""Longest time for which a command measures, in seconds."""
LEAST_SECONDS = 0.2
"""Shortest time for which a training is measured, in seconds, even if its budget is smaller."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """The expected course and the needs of a training.

    Attributes:
        forecast: its course.
        needs: its memory and disk.
        share: the stage's share of the user's minutes.
    """

    forecast: Forecast
    needs: Needs
    share: float = 1.0

    @property
    def lines(self) -> list[Line]:
        """Describe the price in lines, each with its `logging` level."""
        return [*forecast_lines(self.forecast, self.share), *needs_lines(self.needs)]


def unwritten(config: StrictConfig) -> RunFolder:
    """Make the run folder of a trial. It is empty, and nothing is written to it."""
    return RunFolder(NOWHERE, config, writes=False)


@contextmanager
def unchanged_randomness() -> Iterator[None]:
    """Restore torch's random state after the block, on the CPU and on every GPU."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


def progress_in(folder: Path, kind: str) -> tuple[int, float]:
    """Read the steps and seconds of training of a run folder; zeros before its first checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged or of another kind.
    """
    if not (folder / CHECKPOINT).exists():
        return 0, 0.0
    state = load_checkpoint(folder / CHECKPOINT, kind)
    return int(state["step"]), float(state["seconds"])


def steps_per_second(trainer: Trainer, seconds: float, steps: float = float("inf")) -> float:
    """Train for a number of seconds or steps, and for at least two steps. The first steps, which are slower, do not count."""
    pace = Pace(skipped=trainer.warm_steps, seconds=0.8 * seconds, steps=steps, most=seconds)
    elapsed, rate = 0.0, None
    while not agreed(rate is not None, trainer.runtime):
        began = time.monotonic()
        for value in trainer.train_step().values():
            float(value)  # waits for the device
        trainer.step += 1
        elapsed += time.monotonic() - began
        rate = pace.measured(elapsed) if rate is None else rate
    return rate or 1 / max(elapsed, 1e-9)


def price_of(
    make: Callable[[], Trainer],
    out: Path,
    steps: int,
    minutes: float | None,
    *,
    images: int = 0,
    seconds: float = MOST_SECONDS,
    fresh: bool = False,
) -> Price:
    """Measure a trial and forecast the course and needs of the training in `out`.

    Args:
        make: makes the trial.
        out: run folder of the training; it is only read.
        steps, minutes: its budget, over all continuations.
        images: bytes of the images that it will store in `out`.
        seconds: to measure for, at most; less if the budget is short.
        fresh: whether the training is begun anew whatever is in `out`.
    """
    with unchanged_randomness():
        trial = make()
        try:
            step, used = (0, 0.0) if fresh else progress_in(out, trial.kind)
            left = None if minutes is None else max(0.0, 60 * minutes - used)
            short = seconds if left is None else min(seconds, max(LEAST_SECONDS, left / 10))
            rate = steps_per_second(trial, short, max(LEAST_PACE_STEPS, (steps - step) // 10))
            needs = trial.needs(out)
        finally:
            trial.close()
    there = (out / "images.h5").exists()
    seen, limit = (count * trial.batch for count in (step, steps))
    return Price(
        forecast=Forecast(rate * trial.batch, seen, limit, used, left, trial.kind),
        needs=needs._replace(disk=needs.disk + (0 if there else images)),
        share=trial.share,
    )
