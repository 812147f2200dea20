"""Every choice of the generator and its training, with its source; "paper" is LatentKeypointGAN (He, Wandt, Rhodin 2021)."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from generator.augmentation import Change
from kpdetect.config import StrictConfig
from kpdetect.errors import ConfigError
from kpdetect.images import CropPolicy
from kpdetect.training import TrainingConfig

Preset = Literal["tiny", "small", "paper"]
PRESETS: tuple[str, ...] = get_args(Preset)


class ModelConfig(StrictConfig):
    """The tuned architecture (paper, appendix B): margin, positional start, separate background, large start."""

    size: int = Field(64, ge=32, le=512)
    """Side of the images in pixels: a power of two from 32 to 512."""
    keypoints: int = Field(10, ge=1, le=64)
    """Number of keypoints K."""
    tau: float = Field(0.01, gt=0)
    """Width of the heatmaps in squared normalised units, H = exp(-d^2 / tau) (paper 3.2)."""
    noise_width: int = Field(256, ge=1)
    """Length of each of the three noises (paper 3.1)."""
    embedding_width: int = Field(64, ge=1)
    """Length of a keypoint's embedding, D_embed (paper 3.1: 128; its table 6 finds smaller ones more accurate)."""
    mlp_width: int = Field(256, ge=1)
    """Width of the three-layer MLPs that map noises to keypoints and embeddings."""
    pose_divisor: float = Field(20.0, gt=0)
    """Keypoints are tanh(MLP(z) / pose_divisor): they start near the centre and spread as training finds parts."""
    start_size: int = Field(16, ge=4)
    """Side of the first feature map (paper: 32, its base model 4)."""
    start_blocks: int = Field(2, ge=1)
    """Blocks at the first resolution."""
    widths: tuple[int, ...] = (96, 64, 32)
    """Channels at each resolution, from start_size up to size."""
    margin: int = Field(2, ge=0)
    """Extra pixels around every feature map, cropped after each up-sampling (paper appendix B: 10)."""
    spade_width: int = Field(16, ge=1)
    """Hidden channels between the style map and gamma, beta (128 in SPADE; the paper prints none)."""
    background_widths: tuple[int, ...] = (48, 32, 16)
    """Channels of the background network at each resolution."""

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.size & (self.size - 1) or self.start_size & (self.start_size - 1):
            raise ValueError("size and start_size must be powers of two")
        steps = int(math.log2(self.size // self.start_size)) + 1 if self.size >= self.start_size else 0
        if len(self.widths) != steps or len(self.background_widths) != steps:
            raise ValueError(f"widths and background_widths need {steps} entries, one per size {self.start_size}..{self.size}")
        if self.widths[0] % 2 or self.background_widths[0] % 2:
            raise ValueError("the first width must be even: half of it are sines, half cosines")
        return self


class OptimiserConfig(StrictConfig):
    """Losses and optimiser (paper 3.4 and appendix E)."""

    batch: int = Field(32, ge=2)
    """Images per step."""
    rate_generator: float = Field(2e-4, gt=0)
    """Adam's learning rate for the generator (paper: 1e-4 at batch 128)."""
    rate_discriminator: float = Field(4e-4, gt=0)
    """Adam's learning rate for the discriminator (paper: 4e-4)."""
    betas: tuple[float, float] = (0.5, 0.9)
    """Adam's momenta (paper)."""
    r1_weight: float = Field(10.0, ge=0)
    """Factor of E|grad D(x)|^2 on real images, as the paper writes lambda_gp; Mescheder's gamma is twice this number."""
    r1_every: int = Field(8, ge=1)
    """Steps between gradient penalties, which are then scaled by the same number."""
    diffaugment: tuple[Change, ...] = ()
    """Changes to all that the discriminator sees, of colour, translation and cutout; for data sets of a few thousand images."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Decay per step of the averaged generator, ramped up at the start."""
    discriminator_widths: tuple[int, ...] = (32, 64, 128, 192)
    """Channels after each halving of the image."""


class CollapseConfig(StrictConfig):
    """When a run has failed and stops, see `generator.collapse`; healthy runs stay a factor of ten away from these."""

    after_images: int = Field(10_000, ge=0)
    """Images before which nothing is judged: keypoints start bunched and nearly still."""
    patience: int = Field(200, ge=1)
    """Steps in a row that something has to be wrong."""
    least_motion: float = Field(0.004, ge=0)
    """Standard deviation of a keypoint between images, normalised units (0.05 after 1,600 images of a healthy run)."""
    least_variation: float = Field(0.02, ge=0)
    """Standard deviation of a pixel between generated images, of the range from -1 to 1."""
    least_discriminator_loss: float = Field(0.02, ge=0)
    """Loss of a discriminator that has nothing left to learn (2 ln 2 = 1.39 is one that cannot tell)."""


class DataConfig(StrictConfig):
    """How real images are prepared."""

    crop: CropPolicy = "centre"
    """Which part of a picture the square shows: centre, pad or stretch."""
    crop_share: float = Field(0.85, gt=0, le=1)
    """Random crops keep at least this share of the side (paper: 0.7)."""
    flip: bool = True
    """Mirror half of the images."""


class GeneratorConfig(TrainingConfig):
    """A training run of the generator."""

    model: ModelConfig = ModelConfig()
    """The networks."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """Losses, optimisers and the discriminator."""
    data: DataConfig = DataConfig()
    """Real images."""
    collapse: CollapseConfig = CollapseConfig()
    """When to give up."""
    steps: int = Field(16_000, ge=1)
    """Steps to train; no schedule depends on it, so that a finished run can be continued."""


_WIDTHS: dict[str, dict[int, int]] = {
    "tiny": {16: 96, 32: 64, 64: 32, 128: 16, 256: 8, 512: 8},
    "small": {16: 192, 32: 128, 64: 64, 128: 32, 256: 16, 512: 8},
    "paper": {32: 512, 64: 256, 128: 128, 256: 64, 512: 32},
}


def preset(name: Preset, size: int, keypoints: int = 10) -> GeneratorConfig:
    """The configuration of a preset at an image size.

    Raises:
        ConfigError: an unknown preset, a size that is no power of two from 32 to 512, or keypoints out of range.
    """
    if name not in PRESETS:
        raise ConfigError(f"--preset {name}: expected one of {', '.join(PRESETS)}")
    if size not in (32, 64, 128, 256, 512):
        raise ConfigError(f"--size {size}: expected 32, 64, 128, 256 or 512")
    if not 1 <= keypoints <= 64:
        raise ConfigError(f"--keypoints {keypoints}: expected 1 to 64")
    table = _WIDTHS[name]
    sizes = [side for side in table if side <= size]
    widths = tuple(table[side] for side in sizes)
    halves = tuple(max(8, width // 2) for width in widths)
    model: dict[str, Any] = {
        "size": size, "keypoints": keypoints, "start_size": sizes[0], "widths": widths, "background_widths": halves,
    }  # fmt: skip
    optimiser: dict[str, Any] = {"discriminator_widths": _discriminator_widths(name, size)}
    if name == "small":
        model |= {"spade_width": 32, "margin": 4}
    if name == "paper":
        model |= {"spade_width": 128, "margin": 10, "embedding_width": 128, "background_widths": widths}
        optimiser |= {"rate_generator": 1e-4, "batch": {32: 128, 64: 128, 128: 64, 256: 32, 512: 8}[size]}
    return GeneratorConfig(model=ModelConfig(**model), optimiser=OptimiserConfig(**optimiser))


def _discriminator_widths(name: Preset, size: int) -> tuple[int, ...]:
    """Channels from the first halving of `size` down to 4 pixels (paper: down to 2)."""
    if name == "paper":
        halvings = int(math.log2(size)) - 1
        return tuple(min(512, 64 * 256 // size * 2**step) for step in range(halvings))
    widest, first = {"tiny": (192, 32), "small": (384, 64)}[name]
    halvings = int(math.log2(size)) - 2
    first = max(8, first * 64 // size) if size > 64 else first
    return tuple(min(widest, first * 2**step) for step in range(halvings))
