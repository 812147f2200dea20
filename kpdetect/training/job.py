"""A training job: the inputs, settings and limits of one training. The training and its forecast are given the same job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpdetect.training.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """The part of a training job that generators and detectors share.

    Attributes:
        out: run folder. If it holds a run, the training continues that run.
        runtime: device and precision.
        minutes: training time, counting earlier calls that trained the same run. The run ends after this time or after
            `steps` of its settings. None: only `steps` ends it.
    """

    out: Path
    runtime: Runtime
    minutes: float | None = None
