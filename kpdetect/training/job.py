"""A training job: the inputs, settings and limits of one training. The training and its forecast are given the same job."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from kpdetect.training.budget import Budget
from kpdetect.training.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """The part of a training job that generators and detectors share.

    Attributes:
        out: run folder. If it holds a run, the training continues that run.
        runtime: device and precision.
        minutes: training time, counting earlier calls that trained the same run. The run ends after this time or after
            `steps` of its settings. None: only `steps` ends it.
        least_steps, most_minutes, least_left: when `minutes` does not end the run, see `Budget`.
    """

    out: Path
    runtime: Runtime
    minutes: float | None = None
    least_steps: int = 0
    most_minutes: float = math.inf
    least_left: float = 0.0

    def budget(self, steps: int) -> Budget:
        """Return the budget of this training, which ends after `steps` steps at the latest."""
        return Budget(
            steps=steps,
            minutes=self.minutes,
            least_steps=self.least_steps,
            most_minutes=self.most_minutes,
            least_left=self.least_left,
        )
