"""The settings of a project of `kpdetect run`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from generator.architectures import Architecture, generator_config
from generator.config import GeneratorConfig
from generator.presets import Preset
from kpdetect.config import LARGEST_SEED, StrictConfig, apply_overrides
from kpdetect.detector.config import DetectorConfig, preset_config
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.errors import ConfigError
from kpdetect.images.arrays import CropPolicy
from kpdetect.project.rounds_config import AUTO_ROUNDS, NO_ROUNDS, RoundsConfig
from kpdetect.refinement.config import RefineConfig, imm_config
from kpdetect.training.budget import require_minutes
from kpdetect.training.loop import BUDGETS, UNLIMITED

ENOUGH = {"detector": 16_000, "refine": 10_000, "rounds": 12_000}
"""Number of images that the detector of the method `correspondence` sees in the training on matches, in the refinement, and in
each round. With more matches and rounds it learns the errors of its pairs by heart (docs/log/any-folder.md); longer refinements
were not measured."""
SMALL_STEPS = ("detector.batch=16", "detector.warmup=50", "refine.warmup=50")
"""Settings of the method `correspondence` in place of batches of 32 and a warm-up of 200 steps. With more and smaller steps the
detector needs less than half as many images (docs/log/any-folder.md)."""
FIRST = 8_000
"""Number of images that the first detector of the method `correspondence` sees before refinement and rounds have any of the
minutes, unless the number of rounds is given. After fewer, refinement and rounds gain nothing (docs/log/any-folder.md)."""
LEAST_REFINED = 3_000
"""Number of images that the refinement of the method `correspondence` sees at least, unless the number of rounds is given. With
fewer it gains nothing (docs/log/any-folder.md), so it is left out, and further rounds have its minutes."""
Method = Literal["gan", "imm", "correspondence"]
METHODS: tuple[str, ...] = get_args(Method)
MOST_KEYPOINTS = 64
"""Largest number of keypoints that a project can learn."""
KEYPOINTS: dict[str, int | Literal["auto"]] = {"gan": 10, "imm": 10, "correspondence": "auto"}
"""Number of keypoints of a project by default, by method. More clusters cost hardly any time and have lower errors. A
generator with more keypoints puts several of them on one spot (docs/log/any-folder.md)."""
SPARE: dict[str, float] = {"gan": 1.0, "imm": 1.0, "correspondence": 1.6}
"""How many times as many keypoints a project learns as it keeps by default, by method. So few clusters that are kept share a
spot."""
AUTO_LEARNED: dict[str, int] = {"gan": 20, "imm": 20, "correspondence": 32}
"""Number of keypoints that a project learns if their number is `auto`, by method."""


class PairsConfig(StrictConfig):
    """Settings of the generated pairs of an image and its keypoints."""

    count: int = Field(20_000, ge=100)
    """Number of pairs to generate. Fewer are generated if the detector cannot see that many in its steps or minutes."""
    codec: Literal["jpeg", "raw"] = "jpeg"
    """Encoding of the generated images: `jpeg` or `raw` (uncompressed)."""
    shard_size: int = Field(5_000, ge=1)
    """Number of pairs per shard, which is one HDF5 file."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Random seed. Pair number i depends only on this seed, on i and on the generator."""
    truncation: float = Field(1.0, gt=0, le=1)
    """Factor on the generator's input noise. Lower values give more typical, less varied images."""


class ProjectConfig(StrictConfig):
    """All settings of a project of `kpdetect run`."""

    generator: GeneratorConfig
    """Settings of the generator's training."""
    pairs: PairsConfig = PairsConfig()
    """Settings of the generated pairs of an image and its keypoints."""
    method: Method = "gan"
    """Method of discovering keypoints: `gan`, the generator with latent keypoints; `imm` (Jakab et al. 2018); or
    `correspondence`, clusters of pretrained features that are matched across images (after Tourani et al. 2024)."""
    correspondence: CorrespondenceConfig = CorrespondenceConfig()
    """Settings of the method `correspondence`."""
    detector: DetectorConfig
    """Settings of the detector's training on the generated pairs."""
    refined: bool = True
    """Whether the detector is refined on the real images after the training on pairs."""
    refine: RefineConfig = RefineConfig()
    """Settings of the training on real images, which is the only training of the method `imm`."""
    rounds: RoundsConfig = RoundsConfig()
    """Settings of self-training on the real images. The method `imm` has no rounds of self-training."""
    kept: Annotated[int, Field(ge=1, le=MOST_KEYPOINTS)] | Literal["auto"] | None = None
    """Number of keypoints to keep after the last training, informative ones that lie apart. `auto`: those that move and do not
    repeat another keypoint. null: all."""

    @model_validator(mode="before")
    @classmethod
    def _imm_alone(cls, given: Any) -> Any:
        """Set the number of rounds to 0 if the given settings choose the method `imm` and do not mention rounds."""
        rounds = given.get("rounds", {}) if isinstance(given, dict) and given.get("method") == "imm" else None
        return {**given, "rounds": {"count": 0, **rounds}} if isinstance(rounds, dict) else given

    @property
    def learned(self) -> int:
        """Number of keypoints that the detector learns."""
        return self.generator.model.keypoints if self.method == "gan" else self.refine.keypoints

    @model_validator(mode="after")
    def _kept_of_learned(self) -> ProjectConfig:
        if isinstance(self.kept, int) and self.kept > self.learned:
            raise ValueError(f"kept={self.kept}: the detector learns {self.learned} keypoints; keep at most as many")
        return self


TRAINED = ("generator", "detector", "refine")
EXEMPT = ("pairs.count", "kept", *(f"{stage}.{key}" for stage in TRAINED for key in BUDGETS))


def project_config(
    preset: Preset = "tiny",
    size: int = 64,
    keypoints: int | Literal["auto"] | None = None,
    crop: CropPolicy = "centre",
    seed: int = 0,
    method: Method = "gan",
    refined: bool = True,
    model: Architecture = "tuned",
    rounds: int | Literal["auto"] | None = None,
    spare: float | None = None,
) -> ProjectConfig:
    """Make the configuration of a project.

    Args:
        preset: `tiny`, `small` or `paper`. It sets the widths of the networks and the length of the training. `tiny` and
            `small` suit a CPU.
        size: side of the generated images in pixels: 32, 64, 128, 256 or 512.
        keypoints: number of keypoints, 1 to 64. None means `auto` for `correspondence`, and 10 for the other methods. `auto`:
            learn 20 (`correspondence`: 32), and keep those that move and do not repeat another keypoint.
        crop: how an image becomes square: `centre` cuts its central square out, `pad` adds borders, `stretch` changes its
            aspect ratio.
        seed: seed of all random numbers.
        method: method of discovering keypoints: `gan`, the generator with latent keypoints; `imm` (Jakab et al. 2018); or
            `correspondence`, clusters of pretrained features (after Tourani et al. 2024), which needs the extra `imagenet`.
        refined: whether the detector is refined on the real images after the training on pairs. `imm` ignores it.
        model: architecture of the generator.
        rounds: number of rounds of self-training. `auto`: up to 3, until a round does not raise the score without labels or
            the minutes are used up. None means `auto` for `correspondence`, 1 for `gan`, and 0 for `imm`, which has no rounds.
            When a project is continued, the number may grow but not shrink.
        spare: how many times as many keypoints are learned as `keypoints` says. The most informative ones are kept. None
            means 1.6 for `correspondence`, or less if it would learn more than 64, and 1 for the other methods.

    Raises:
        ConfigError: the preset or method is unknown, the size or a number is out of range, or `imm` has rounds.
    """
    if method not in METHODS:
        raise ConfigError(f"`method={method}`: expected one of {', '.join(METHODS)}")
    if method == "imm" and rounds:
        raise ConfigError(f"`rounds={rounds}`: {NO_ROUNDS}; leave it out")
    learned, kept = _learned_and_kept(KEYPOINTS[method] if keypoints is None else keypoints, spare, method)
    named = generator_config(size, learned, preset, model)
    generator = apply_overrides(named, [f"seed={seed}", f"data.crop={crop}"])
    detector = apply_overrides(preset_config(preset), [f"seed={seed}"])
    common = [f"seed={seed}", f"keypoints={learned}", f"crop={crop}", f"reconstruction.size={min(64, size)}"]
    refine = apply_overrides(imm_config() if method == "imm" else RefineConfig(), common)
    head = "transposed" if method == "imm" else detector.model.head  # `imm` was only ever measured with this head
    refine = refine.model_copy(update={"model": detector.model.model_copy(update={"head": head})})
    made = ProjectConfig(
        generator=generator,
        detector=detector,
        pairs=PairsConfig(seed=seed),
        method=method,
        refined=refined,
        refine=refine,
        correspondence=CorrespondenceConfig(seed=seed % 2**32),
        rounds=apply_overrides(RoundsConfig(), ["count=0"] if method == "imm" else _round_settings(rounds, method)),
        kept=kept,
    )
    return with_enough_steps(apply_overrides(made, SMALL_STEPS)) if method == "correspondence" else made


def with_enough_steps(settings: ProjectConfig, least: int = 0) -> ProjectConfig:
    """Return the settings with the steps in which the trainings see `ENOUGH` images, in place of at least `least` steps."""
    batches = {"detector": settings.detector.batch, "refine": settings.refine.batch, "rounds": settings.detector.batch}
    replaced = [stage for stage in ENOUGH if getattr(settings, stage).steps >= least]
    return apply_overrides(settings, [f"{stage}.steps={math.ceil(ENOUGH[stage] / batches[stage])}" for stage in replaced])


def _round_settings(rounds: int | str | None, method: Method) -> list[str]:
    """Return the assignments to `RoundsConfig` for a number of rounds, `auto`, or None for the default of the method."""
    if isinstance(rounds, str) and rounds != "auto":
        raise ConfigError(f"`rounds={rounds}`: expected a number from 0 to 9, or auto")
    if rounds == "auto" or (rounds is None and method == "correspondence"):
        return [f"count={AUTO_ROUNDS}", "stops=true"]
    return [] if rounds is None else [f"count={rounds}"]


def _learned_and_kept(keypoints: int | str, spare: float | None, method: str) -> tuple[int, int | Literal["auto"] | None]:
    """Return how many keypoints a project learns, and how many of them it keeps; None: all."""
    if keypoints == "auto":
        if spare is not None:
            raise ConfigError(f"`spare={spare:g}`: `keypoints` is automatic; give a number too")
        return AUTO_LEARNED[method], "auto"
    if not isinstance(keypoints, int):
        raise ConfigError(f"`keypoints={keypoints}`: expected a number from 1 to {MOST_KEYPOINTS}, or auto")
    if spare is None:
        spare = min(SPARE[method], MOST_KEYPOINTS / max(1, min(keypoints, MOST_KEYPOINTS)))
    if not spare >= 1 or keypoints * spare > MOST_KEYPOINTS and spare > 1:
        largest = f"{MOST_KEYPOINTS / max(1, keypoints):.3g}"
        raise ConfigError(f"`spare={spare:g}`: with {keypoints} keypoints, expected a number from 1 to {largest}")
    return (keypoints, None) if spare == 1 else (math.ceil(keypoints * spare), keypoints)


def changed(settings: ProjectConfig, minutes: float | None, overrides: Sequence[str]) -> ProjectConfig:
    """Apply the user's assignments to the settings. If `minutes` is given, time ends the stages instead of their steps.

    Raises:
        ConfigError: the minutes are not a number of at least 0, or an assignment is not valid.
    """
    require_minutes(minutes)
    if minutes is not None:
        settings = apply_overrides(settings, [f"{stage}.steps={UNLIMITED}" for stage in (*TRAINED, "rounds")])
    return apply_overrides(settings, overrides)
