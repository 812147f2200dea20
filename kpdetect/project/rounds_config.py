"""The settings of self-training, and the list of those that may change when a project is continued."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from kpdetect.config import StrictConfig
from kpdetect.detector.config import DetectorConfig
from kpdetect.errors import ConfigError
from kpdetect.inference.scales import Scales
from kpdetect.training.checkpoints import detector_stages, round_folder, round_number


class RoundsConfig(StrictConfig):
    """Settings of self-training: each round trains a detector on the previous detector's predictions on the real images."""

    count: int = Field(1, ge=0, le=9)
    """Number of rounds. A round uses the settings of the training on pairs, except for `steps`, `rate` and `scale`."""
    stops: bool = False
    """Whether the rounds end earlier, as soon as a round does not raise the score without labels beyond its noise."""
    images: int = Field(10_000, ge=16)
    """Largest number of images which the teacher predicts and on which the pupil is trained, spread evenly. Fewer are used if
    the pupil cannot see that many twice."""
    steps: int = Field(1_500, ge=1, le=10**12)
    """Number of training steps in each round."""
    rate: float = Field(5e-4, gt=0)
    """Learning rate in each round."""
    scale: float = Field(0.4, ge=0, lt=1)
    """Images in a round are scaled by a random factor between 1 / (1 + scale) and 1 + scale."""
    scales: Scales = (1.1, 0.95, 0.8)
    """Scales over which the teacher's predictions are averaged (see `PredictConfig.scales`)."""
    flip_average: bool = True
    """Whether the average also includes the teacher's predictions on the mirror image."""

    def pupil(self, first: DetectorConfig) -> DetectorConfig:
        """Make the training settings of a round's detector from those of the project's first detector."""
        augment = first.augment.model_copy(update={"scale": self.scale})
        return first.model_copy(update={"augment": augment, "steps": self.steps, "rate": self.rate})


AUTO_ROUNDS = 3
"""Largest number of rounds if their number is `auto`."""
NO_ROUNDS = "`method=imm` has no rounds of self-training"
"""Reason in the error that refuses rounds of the method `imm`."""
BUDGET = ("count", "stops", "images", "steps")
"""Keys of `RoundsConfig` that may change when a project is continued."""


def free_keys(out: Path) -> Iterable[str]:
    """List the keys of `RoundsConfig` that may change when the project in `out` is continued.

    Before the project's first round all keys may change.
    """
    return BUDGET if _rounds(out) else RoundsConfig.model_fields


def require_rounds(out: Path, count: int, method: str = "gan") -> None:
    """Refuse a number of rounds that a project cannot have.

    The method `imm` has no rounds. The number must not be smaller than before, because the detectors of the rounds are kept.

    Raises:
        ConfigError: the number of rounds is refused. The message says what to do.
    """
    if method == "imm" and count:
        raise ConfigError(f"rounds.count={count}: {NO_ROUNDS}; give `overrides=rounds.count=0`")
    if (held := max(_rounds(out), default=0)) > count:
        got = f"{out}: this project has {held} round{'s' * (held > 1)} of self-training, but {count} are requested"
        folders = " and ".join(round_folder(number) for number in _rounds(out) if number > count)
        if method == "imm":
            raise ConfigError(f"{got}, because {NO_ROUNDS}; give another `out`, or remove {folders}")
        advice = f"give `rounds={held}` (with `config`: `overrides=rounds.count={held}`), or remove {folders}"
        raise ConfigError(f"{got}; {advice}")


def _rounds(out: Path) -> list[int]:
    return [number for stage in detector_stages(out) if (number := round_number(stage)) is not None]
