"""Settings of a project of `kpdetect run`, stage by stage, and the shares of the stages in its training minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from generator.architectures import Architecture, generator_config
from generator.config import GeneratorConfig
from generator.presets import Preset
from kpdetect.config import LARGEST_SEED, StrictConfig, apply_overrides
from kpdetect.detector.config import DetectorConfig, preset_config
from kpdetect.errors import ConfigError
from kpdetect.images.arrays import CropPolicy
from kpdetect.project.rounds_config import NO_ROUNDS, RoundsConfig
from kpdetect.refinement.config import RefineConfig, imm_config
from kpdetect.training.loop import BUDGETS

REFINED = {"generator": 5.0, "detector": 2.0, "refine": 3.0}
"""Parts of the training minutes, for a project whose detector is refined on real images."""
PLAIN = {"generator": 7.0, "detector": 3.0, "refine": 0.0}
"""Parts of the training minutes, for a project whose detector is not refined."""
WHOLE = 10.0
ROUND = 1.5
"""Part of the training minutes for each round of self-training, in addition to the other parts."""


def share_of(stage: str, refined: bool, rounds: int = 0) -> float:
    """Compute the share of the minutes for a stage, or for each `round`, in a project with a number of rounds."""
    part = ROUND if stage == "round" else (REFINED if refined else PLAIN)[stage]
    return part / (WHOLE + ROUND * rounds)


UNLIMITED = 10**9
"""Number of steps of a run that ends by time."""
Method = Literal["gan", "imm"]
METHODS: tuple[str, ...] = get_args(Method)


class PairsConfig(StrictConfig):
    """Settings of the generated pairs."""

    count: int = Field(20_000, ge=100)
    """Number of pairs."""
    codec: Literal["jpeg", "raw"] = "jpeg"
    """Encoding of the images."""
    shard_size: int = Field(5_000, ge=1)
    """Number of pairs per shard."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seed of the pairs. Pair i depends on this seed and i."""
    truncation: float = Field(1.0, gt=0, le=1)
    """Factor on the noise. Lower values give more typical, less varied images."""


class ProjectConfig(StrictConfig):
    """All settings of a project of `kpdetect run`."""

    generator: GeneratorConfig
    """Training of the generator."""
    pairs: PairsConfig = PairsConfig()
    """The generated pairs."""
    method: Method = "gan"
    """Method of discovering keypoints: `gan`, the generator with latent keypoints, or `imm` (Jakab et al. 2018)."""
    detector: DetectorConfig
    """Training of the detector on pairs."""
    refined: bool = True
    """Whether the detector is refined on the real images after the training on pairs."""
    refine: RefineConfig = RefineConfig()
    """Training on real images. With `imm` it is the only training."""
    rounds: RoundsConfig = RoundsConfig()
    """Self-training on the real images. `imm` has no rounds."""

    @model_validator(mode="before")
    @classmethod
    def _imm_alone(cls, given: Any) -> Any:
        """Set the number of rounds to 0 if a file sets `imm` and does not mention rounds."""
        rounds = given.get("rounds", {}) if isinstance(given, dict) and given.get("method") == "imm" else None
        return {**given, "rounds": {"count": 0, **rounds}} if isinstance(rounds, dict) else given


TRAINED = ("generator", "detector", "refine")
EXEMPT = ("pairs.count", *(f"{stage}.{key}" for stage in TRAINED for key in BUDGETS))


def project_config(
    preset: Preset = "tiny",
    size: int = 64,
    keypoints: int = 10,
    crop: CropPolicy = "centre",
    seed: int = 0,
    method: Method = "gan",
    refined: bool = True,
    model: Architecture = "tuned",
    rounds: int | None = None,
) -> ProjectConfig:
    """Make the configuration of a project.

    Args:
        preset: widths of the networks and length of the training: `tiny`, `small` or `paper`; the first two suit a CPU.
        size: side of the generated images in pixels: 32, 64, 128, 256 or 512.
        keypoints: number of keypoints, 1 to 64.
        crop: how an image becomes square: its `centre` is cut out, it is padded (`pad`), or stretched (`stretch`).
        seed: seed of all random numbers.
        method: method of discovering keypoints: `gan`, the generator with latent keypoints, or `imm` (Jakab et al. 2018).
        refined: whether the detector is refined on the real images. `imm` trains on the real images anyway.
        model: architecture of the generator.
        rounds: number of rounds of self-training; 1 by default. It may grow when a project is continued, but not shrink.
            `imm` has none.

    Raises:
        ConfigError: the preset or method is unknown, the size or a number is out of range, or `imm` has rounds.
    """
    if method not in METHODS:
        raise ConfigError(f"`method={method}`: expected one of {', '.join(METHODS)}")
    if method == "imm" and rounds:
        raise ConfigError(f"`rounds={rounds}`: {NO_ROUNDS}; leave it out")
    count = 0 if method == "imm" else rounds
    named = generator_config(size, keypoints, preset, model)
    generator = apply_overrides(named, [f"seed={seed}", f"data.crop={crop}"])
    detector = apply_overrides(preset_config(preset), [f"seed={seed}"])
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
    """Apply the user's assignments to the settings. With minutes, time ends the stages instead of the preset's steps."""
    if minutes is not None:
        settings = apply_overrides(settings, [f"{stage}.steps={UNLIMITED}" for stage in (*TRAINED, "rounds")])
    return apply_overrides(settings, overrides)
