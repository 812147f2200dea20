"""What a project of `kpdetect run` is asked for, stage by stage.

How the training minutes of a project are shared among its stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from generator.architectures import Architecture, architecture
from generator.config import GeneratorConfig
from generator.presets import Preset, preset
from kpdetect.config import LARGEST_SEED, StrictConfig, apply_overrides
from kpdetect.detector.config import DetectorConfig, preset_config
from kpdetect.errors import ConfigError
from kpdetect.images.arrays import CropPolicy
from kpdetect.project.rounds import NO_ROUNDS, RoundsConfig
from kpdetect.refinement.config import RefineConfig, imm_config
from kpdetect.training.loop import BUDGETS

REFINED = {"generator": 5.0, "detector": 2.0, "refine": 3.0}
"""Parts of the training minutes of a project whose detector has a second stage on real images."""
PLAIN = {"generator": 7.0, "detector": 3.0, "refine": 0.0}
"""The same without a second stage."""
WHOLE = 10.0
ROUND = 1.5
"""The part of each round of self-training, beside these."""


def share_of(stage: str, refined: bool, rounds: int = 0) -> float:
    """The share of the minutes that a stage (or `round`, each of them) gets in a project with so many rounds."""
    part = ROUND if stage == "round" else (REFINED if refined else PLAIN)[stage]
    return part / (WHOLE + ROUND * rounds)


UNLIMITED = 10**9
"""Steps of a run that a time budget ends."""
Method = Literal["gan", "imm"]
METHODS: tuple[str, ...] = get_args(Method)


class PairsConfig(StrictConfig):
    """The synthetic data set."""

    count: int = Field(20_000, ge=100)
    """Number of pairs."""
    codec: Literal["jpeg", "raw"] = "jpeg"
    """How images are stored."""
    shard_size: int = Field(5_000, ge=1)
    """Pairs per shard."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Pair i depends on this and i."""
    truncation: float = Field(1.0, gt=0, le=1)
    """Factor on the noise; lower is more typical, less varied."""


class ProjectConfig(StrictConfig):
    """Everything that `kpdetect run` decides."""

    generator: GeneratorConfig
    """Training of the generator."""
    pairs: PairsConfig = PairsConfig()
    """The synthetic data set."""
    method: Method = "gan"
    """How keypoints are discovered: `gan`, the latent-keypoint generator, or `imm` (Jakab et al. 2018)."""
    detector: DetectorConfig
    """Training of the detector on pairs."""
    refined: bool = True
    """Whether the detector is trained on the real images too."""
    refine: RefineConfig = RefineConfig()
    """Training on real images; the whole training of `imm`."""
    rounds: RoundsConfig = RoundsConfig()
    """Self-training on the real images; `imm` has none."""

    @model_validator(mode="before")
    @classmethod
    def _imm_alone(cls, given: Any) -> Any:
        """A file that says `imm`, and nothing of rounds, means none."""
        rounds = given.get("rounds", {}) if isinstance(given, dict) and given.get("method") == "imm" else None
        return {**given, "rounds": {"count": 0, **rounds}} if isinstance(rounds, dict) else given


TRAINED = ("generator", "detector", "refine")
EXEMPT = ("pairs.count", "generator.replay", *(f"{stage}.{key}" for stage in TRAINED for key in BUDGETS))


def project_config(
    name: Preset,
    size: int,
    keypoints: int,
    crop: CropPolicy,
    seed: int,
    method: Method = "gan",
    refined: bool = True,
    model: Architecture = "tuned",
    rounds: int | None = None,
) -> ProjectConfig:
    """The configuration of a preset and an architecture of the generator.

    Raises:
        ConfigError: an unknown preset or method, a size, number of keypoints or of rounds out of range, or rounds of `imm`.
    """
    if method not in METHODS:
        raise ConfigError(f"`method={method}`: expected one of {', '.join(METHODS)}")
    if method == "imm" and rounds:
        raise ConfigError(f"`rounds={rounds}`: {NO_ROUNDS}; leave it out")
    count = 0 if method == "imm" else rounds
    named = architecture(preset(name, size, keypoints), model)
    generator = apply_overrides(named, [f"seed={seed}", f"data.crop={crop}"])
    detector = apply_overrides(preset_config(name), [f"seed={seed}"])
    common = [f"seed={seed}", f"keypoints={keypoints}", f"crop={crop}", f"reconstruction.size={min(64, size)}"]
    refine = apply_overrides(imm_config() if method == "imm" else RefineConfig(), common)
    head = "transposed" if method == "imm" else detector.model.head  # with `imm`, no other head was ever measured
    refine = refine.model_copy(update={"model": detector.model.model_copy(update={"head": head})})
    return ProjectConfig(
        generator=generator,
        detector=detector,
        pairs=PairsConfig(seed=seed),
        method=method,
        refined=refined,
        refine=refine,
        rounds=apply_overrides(RoundsConfig(), [] if count is None else [f"count={count}"]),
    )


def changed(settings: ProjectConfig, minutes: float | None, overrides: Sequence[str]) -> ProjectConfig:
    """The settings with the user's assignments; where minutes are given, the clock ends the stages, not the preset's steps."""
    if minutes is not None:
        settings = apply_overrides(settings, [f"{stage}.steps={UNLIMITED}" for stage in (*TRAINED, "rounds")])
    return apply_overrides(settings, overrides)
