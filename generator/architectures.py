"""The named models: the models of table 3 in the LatentKeypointGAN paper (He et al. 2021), and the ablations.

The names of table 3 are cumulative: each name removes one component from the tuned model, and every component that a name
before it removes (appendix B). The paper does not say which model the table's last row is. Here `no-margin` and `base`
(appendix E) are two separate models.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from generator.config import GeneratorConfig
from generator.presets import Preset
from generator.presets import preset as preset_config
from kpdetect.config import apply_overrides
from kpdetect.errors import ConfigError

Architecture = Literal["tuned", "no-start32", "no-background", "no-positional", "no-margin", "base"]
ARCHITECTURES: tuple[str, ...] = get_args(Architecture)
LADDER = ARCHITECTURES[:-1]
"""The five models of table 3."""
SMALL_START = 4
"""Side of the first feature map of the base model."""
ABLATIONS: dict[str, tuple[str, ...]] = {
    "without background": ("model.background_part=false", "optimiser.background_weight=0"),
    "without global style": ("model.embedding=constant",),
    "additive global style": ("model.embedding=added",),
    "contrastive embedding": ("model.embedding=contrastive", "optimiser.contrastive_weight=1"),
    "without keypoint embedding": ("model.embedding=none",),
    "without keypoints": ("model.style=adain",),
    "hinge loss and spectral norm": ("optimiser.loss=hinge", "optimiser.spectral_norm=true", "optimiser.r1_weight=0"),
    "without background loss": ("optimiser.background_weight=0",),
    "without keypoint scheduler": ("optimiser.rest_when_adapting=false",),
}
"""Ablations of the base model (table 2, appendices F.1 and F.3), as overrides of its configuration."""


def architecture(config: GeneratorConfig, name: str) -> GeneratorConfig:
    """Change a tuned configuration to the named model; image size, widths and schedule stay the same.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in ARCHITECTURES:
        raise ConfigError(f"`model={name}`: expected one of {', '.join(ARCHITECTURES)}")
    depth = ARCHITECTURES.index(name)
    changes: list[str] = []
    if depth >= 1:
        doublings = max(0, round(math.log2(config.model.start_size / SMALL_START)))
        widths, behind = config.model.widths, config.model.background_widths
        changes.append(f"model.start_size={min(SMALL_START, config.model.start_size)}")
        changes.append(f"model.widths={list((widths[0],) * doublings + widths)}")
        changes.append(f"model.background_widths={list((behind[0],) * doublings + behind)}")
    if depth >= 2:
        changes += ["model.separate_background=false", "optimiser.background_weight=100"]
    if depth >= 3:
        changes.append("model.start=learned")
    if depth >= 4:
        changes.append("model.margin=0")
    if depth >= 5:
        changes += ["model.block=conv", "model.start_blocks=1", "model.progressive=true"]
    return apply_overrides(config, changes)


def generator_config(
    size: int = 64, keypoints: int = 10, preset: Preset = "tiny", model: Architecture = "tuned"
) -> GeneratorConfig:
    """Return the configuration of a generator and its training.

    Args:
        size: side of the generated images in pixels: 32, 64, 128, 256 or 512.
        keypoints: number of keypoints, 1 to 64.
        preset: widths of the networks and length of the training: `tiny`, `small` or `paper`.
        model: the architecture.

    Raises:
        ConfigError: an unknown name, or a number out of range.
    """
    return architecture(preset_config(preset, size, keypoints), model)
