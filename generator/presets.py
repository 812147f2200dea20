"""The presets: the widths of the networks and the settings that depend on them, by name and image size."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from generator.config import GeneratorConfig, ModelConfig, OptimiserConfig
from kpdetect.errors import ConfigError

Preset = Literal["tiny", "small", "paper"]

PRESETS: tuple[str, ...] = get_args(Preset)

_WIDTHS: dict[str, dict[int, int]] = {
    "tiny": {16: 96, 32: 56, 64: 32, 128: 16, 256: 8, 512: 8},
    "small": {16: 160, 32: 112, 64: 56, 128: 32, 256: 16, 512: 8},
    "paper": {32: 512, 64: 256, 128: 128, 256: 64, 512: 32},
}
"""Channels at each resolution. For an image of 64 pixels, the tuned model needs 0.45 GFLOP in tiny and 1.5 GFLOP in
small, so a CPU can train both."""
MASK_PRIOR = 3.0
"""`ModelConfig.mask_prior` of tiny and small. Without it, the background network draws a part of the object."""
R1_WEIGHT = 0.2
"""`OptimiserConfig.r1_weight` of tiny and small. With the paper's 10, several keypoints often lie on one spot."""


def preset(name: Preset, size: int, keypoints: int = 10) -> GeneratorConfig:
    """Return the configuration of a preset at an image size.

    Raises:
        ConfigError: an unknown preset, a size that is no power of two from 32 to 512, or keypoints out of range.
    """
    if name not in PRESETS:
        raise ConfigError(f"`preset={name}`: expected one of {', '.join(PRESETS)}")
    if size not in (32, 64, 128, 256, 512):
        raise ConfigError(f"`size={size}`: expected 32, 64, 128, 256 or 512")
    if not 1 <= keypoints <= 64:
        raise ConfigError(f"`keypoints={keypoints}`: expected 1 to 64")
    table = _WIDTHS[name]
    sizes = [side for side in table if side <= size]
    widths = tuple(table[side] for side in sizes)
    halves = tuple(max(8, width // 16 * 8) for width in widths)  # convolutions are fast at multiples of 8
    model: dict[str, Any] = {
        "size": size, "keypoints": keypoints, "start_size": sizes[0], "widths": widths, "background_widths": halves,
    }  # fmt: skip
    optimiser: dict[str, Any] = {"discriminator_widths": _discriminator_widths(name, size)}
    if name != "paper":
        model |= {"mask_prior": MASK_PRIOR}
        optimiser |= {"r1_weight": R1_WEIGHT}
    if name == "small":
        model |= {"spade_width": 32}
    if name == "paper":
        model |= {"spade_width": 128, "margin": 10, "embedding_width": 128, "background_widths": widths, "block": "resnet"}
        model["narrow_early"] = False
        optimiser |= {"rate_generator": 1e-4, "batch": {32: 128, 64: 128, 128: 64, 256: 32, 512: 8}[size]}
    return GeneratorConfig(model=ModelConfig(**model), optimiser=OptimiserConfig(**optimiser))


def _discriminator_widths(name: Preset, size: int) -> tuple[int, ...]:
    """Return the channels from the first halving of `size` down to 4 pixels (the LatentKeypointGAN paper: down to 2)."""
    if name == "paper":
        halvings = int(math.log2(size)) - 1
        return tuple(min(512, 128 * 256 // size * 2**step) for step in range(halvings))
    widest, first = {"tiny": (192, 32), "small": (384, 64)}[name]
    halvings = int(math.log2(size)) - 2
    first = max(8, first * 64 // size) if size > 64 else first
    return tuple(min(widest, first * 2**step) for step in range(halvings))
