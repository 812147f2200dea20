"""Backbone and head built from a configuration."""

from __future__ import annotations

import torch
from torch import nn

from kpdetect.detector.backbone import create_backbone, weights_file
from kpdetect.detector.config import DetectorModelConfig
from kpdetect.detector.network import Detector, HeatmapHead
from kpdetect.detector.pyramid import PyramidHead
from kpdetect.errors import ConfigError


def build_detector(config: DetectorModelConfig, keypoints: int, *, initialise: bool = True) -> Detector:
    """A detector for K keypoints; `initialise` reads `backbone_weights`, which a trained detector does not need.

    Raises:
        ConfigError: timm has no such backbone, it gives no feature maps for images of `input_size`, or no weights for it are
            installed.
        CheckpointError: `backbone_weights` is missing or does not fit.
    """
    weights = config.backbone_weights if initialise else None
    if weights is not None:
        weights = weights_file(weights, config.backbone, "model.backbone_weights")
    backbone = create_backbone(config.backbone, weights=weights)
    channels: list[int] = backbone.feature_info.channels()  # type: ignore[operator, union-attr]
    _require_feature_maps(backbone, channels[-1], config)
    head: nn.Module = HeatmapHead(channels[-1], config.head_width, config.head_stages, keypoints)
    if config.head == "pyramid":
        head = PyramidHead(channels, config.head_width, config.head_stages, keypoints)
    return Detector(backbone, head, config.input_size)


@torch.no_grad()
def _require_feature_maps(backbone: nn.Module, channels: int, config: DetectorModelConfig) -> None:
    """Some networks take one image size only, or put channels last; better said now than in the first step."""
    side = config.input_size
    advice = f"model.backbone {config.backbone}: take a ResNet such as resnet18"
    try:
        found = backbone.eval()(torch.zeros(1, 3, side, side))[-1].shape
    except (AssertionError, RuntimeError) as error:
        raise ConfigError(f"{advice}; this one refuses {side}x{side} images ({' '.join(str(error).split()):.200})") from error
    finally:
        backbone.train()
    if len(found) != 4 or found[1] != channels:
        raise ConfigError(f"{advice}; this one gives features {list(found)}, expected [1, {channels}, height, width]")
