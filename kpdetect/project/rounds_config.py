"""The settings of self-training, and which of them may change when a project is continued."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, field_validator

from kpdetect.config import StrictConfig
from kpdetect.detector.config import DetectorConfig
from kpdetect.errors import ConfigError
from kpdetect.inference.config import PredictConfig, require_scales
from kpdetect.training.checkpoints import detector_stages, round_folder, round_number


class RoundsConfig(StrictConfig):
    """Settings of self-training on the real images."""

    count: int = Field(1, ge=0, le=9)
    """Number of rounds. Each round trains a detector with the settings of the training on pairs, except the next three."""
    steps: int = Field(1_500, ge=1, le=10**12)
    """Number of training steps of a round."""
    rate: float = Field(5e-4, gt=0)
    """Learning rate of a round."""
    scale: float = Field(0.4, ge=0, lt=1)
    """Range of the scaling of images in a round, see `AugmentConfig.scale`."""
    scales: tuple[float, ...] = (1.1, 0.95, 0.8)
    """Relative sizes of the squares over which the teacher averages, see `PredictConfig.scales`."""
    flip_average: bool = True
    """Whether the teacher also averages over the mirror image."""

    _sizes = field_validator("scales")(require_scales)

    def pupil(self, first: DetectorConfig) -> DetectorConfig:
        """Make the training settings of a pupil from those of the project's first detector."""
        augment = first.augment.model_copy(update={"scale": self.scale})
        return first.model_copy(update={"augment": augment, "steps": self.steps, "rate": self.rate})

    def look(self, strict: bool) -> PredictConfig:
        """Make the prediction settings of a teacher."""
        return PredictConfig(overlays=0, scales=self.scales, flip_average=self.flip_average, strict=strict)


NO_ROUNDS = "`method=imm` has no rounds of self-training"
"""The reason why a number of rounds is refused."""
BUDGET = ("count", "steps")
"""Keys of `RoundsConfig` that may change when a project is continued."""


def free_keys(out: Path) -> Iterable[str]:
    """List the keys of `RoundsConfig` that may change when a project is continued. Before its first round these are all."""
    return BUDGET if _rounds(out) else RoundsConfig.model_fields


def require_rounds(out: Path, count: int, method: str = "gan") -> None:
    """Refuse rounds of `imm`, and fewer rounds than a project has, because it would keep a detector of another number.

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
