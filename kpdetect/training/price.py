"""Forecast the time, memory and disk that a training needs. This is called its price.

A temporary trainer, the trial, runs some steps, which are measured. It writes nothing:

    trial = a trainer in the run folder `unwritten(config)` -> price_of(trial, out, ...) -> lines

Afterwards torch's random state is restored, so that a training in the same process gives the same result as without a trial.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from kpdetect.config import StrictConfig
from kpdetect.progress import Pace
from kpdetect.training.budget import Budget
from kpdetect.training.checkpoints import CHECKPOINT, load_checkpoint
from kpdetect.training.distributed import agreed
from kpdetect.training.forecast import Forecast, Line, Needs, forecast_lines, needs_lines
from kpdetect.training.loop import LEAST_PACE_STEPS, Trainer
from kpdetect.training.run_folder import RunFolder

NOWHERE = Path(os.devnull) / "trial"
"""A run folder that cannot exist. No run continues from it, and nothing is written to it."""
MOST_SECONDS = 20.0
"""Longest time in seconds for which a command measures steps before a training."""
LEAST_SECONDS = 0.2
"""Shortest time for which a training is measured, in seconds, even if its budget is smaller."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """The time, memory and disk that a training needs.

    Attributes:
        forecast: the speed and length of the training.
        needs: the memory and disk of the training.
        share: share of the user's minutes that this training gets, if the minutes are divided among several trainings.
    """

    forecast: Forecast
    needs: Needs
    share: float = 1.0

    @property
    def lines(self) -> list[Line]:
        """Describe time, memory and disk in lines, each with its `logging` level."""
        return [*forecast_lines(self.forecast, self.share), *needs_lines(self.needs)]


def unwritten(config: StrictConfig) -> RunFolder:
    """Make a run folder for a trial. It does not exist on disk, and nothing is written to it."""
    return RunFolder(NOWHERE, config, writes=False)


@contextmanager
def unchanged_randomness() -> Iterator[None]:
    """Restore torch's random state, on the CPU and on every GPU, after the `with` block."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


def progress_in(folder: Path, kind: str) -> tuple[int, float]:
    """Read the number of steps and seconds that a run has been trained. They are 0 before its first checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged or of another kind.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return 0, 0.0
    status = path.stat()
    return _progress(path, kind, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _progress(path: Path, kind: str, modified: int, size: int) -> tuple[int, float]:
    """Read the progress in a checkpoint once for each time of modification and size."""
    state = load_checkpoint(path, kind)
    return int(state["step"]), float(state["seconds"])


def steps_per_second(trainer: Trainer, seconds: float, steps: float = float("inf")) -> float:
    """Train for a number of seconds or steps, but at least two steps. Return the speed without the slow first steps."""
    pace = Pace(skipped=trainer.warm_steps, seconds=0.8 * seconds, steps=steps, most=seconds)
    elapsed, rate = 0.0, None
    while not agreed(rate is not None, trainer.runtime):
        began = time.monotonic()
        for value in trainer.train_step().values():
            float(value)  # waits until the device has finished the step
        trainer.step += 1
        elapsed += time.monotonic() - began
        rate = pace.measured(elapsed) if rate is None else rate
    return rate or 1 / max(elapsed, 1e-9)


def price_of(
    make: Callable[[], Trainer],
    out: Path,
    budget: Budget,
    *,
    images: int = 0,
    seconds: float = MOST_SECONDS,
    fresh: bool = False,
) -> Price:
    """Run and measure a trial, and forecast the time, memory and disk that the training in `out` needs.

    Args:
        make: function that makes the trial.
        out: run folder of the training; it is only read.
        budget: the length of the training.
        images: number of bytes of the images that the training will store in `out`.
        seconds: longest time of the measurement. It is shorter if the budget is small.
        fresh: forecast a new run, even if `out` holds a run that the training would continue.
    """
    with unchanged_randomness():
        trial = make()
        try:
            step, used = (0, 0.0) if fresh else progress_in(out, trial.kind)
            left = budget.most_seconds_left(step, used)
            short = seconds if left is None else min(seconds, max(LEAST_SECONDS, left / 10))
            rate = steps_per_second(trial, short, max(LEAST_PACE_STEPS, (budget.steps - step) // 10))
            needs = trial.needs(out)
        finally:
            trial.close()
    there = (out / "images.h5").exists()
    seen, limit = (count * trial.batch for count in (step, budget.steps))
    left = budget.seconds_left(step, used, rate)
    return Price(
        forecast=Forecast(rate * trial.batch, seen, limit, used, left, trial.kind),
        needs=needs._replace(disk=needs.disk + (0 if there else images)),
        share=trial.share,
    )
