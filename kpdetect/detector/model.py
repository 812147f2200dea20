"""Backbone and head built from a configuration."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from kpdetect.config import build_config, read_config
from kpdetect.detector.backbone import create_backbone, weights_file
from kpdetect.detector.config import DetectorConfig, DetectorModelConfig
from kpdetect.detector.network import Detector, HeatmapHead
from kpdetect.detector.pyramid import PyramidHead
from kpdetect.detector.resnet import resnet
from kpdetect.errors import ConfigError
from kpdetect.training.checkpoints import find_weights, read_detector_description
from kpdetect.training.run_folder import CONFIG


def build_detector(config: DetectorModelConfig, keypoints: int, *, initialise: bool = True) -> Detector:
    """Build a detector for K keypoints.

    Args:
        config: settings of the network.
        keypoints: K.
        initialise: read `backbone_weights`. A trained detector does not need them.

    Raises:
        ConfigError: timm has no such backbone, the backbone returns no feature maps for images of `input_size`, or its weights
            are not installed.
        CheckpointError: `backbone_weights` is missing or does not fit.
    """
    weights = config.backbone_weights if initialise else None
    if weights is not None:
        weights = weights_file(weights, config.backbone, "model.backbone_weights")
    backbone, channels = _backbone(config, None if weights is None else Path(weights), initialise)
    head: nn.Module = HeatmapHead(channels[-1], config.head_width, config.head_stages, keypoints)
    if config.head == "pyramid":
        head = PyramidHead(channels, config.head_width, config.head_stages, keypoints)
    return Detector(backbone, head, config.input_size)


def starting_network(run: Path, initial: Path) -> DetectorModelConfig:
    """Read the network of a training that starts from the weights of `initial`.

    Args:
        run: run folder; if it holds a configuration, its network counts and `initial` is not read.
        initial: weights file, run folder, project folder or name of a shipped model.

    Raises:
        CheckpointError, ConfigError: no detector there, or a damaged one.
    """
    if (run / CONFIG).exists():
        return read_config(DetectorConfig, run / CONFIG).model
    weights = find_weights(initial, "detector")
    return build_config(DetectorConfig, read_detector_description(weights).config, source=str(weights)).model


def _backbone(config: DetectorModelConfig, weights: Path | None, initialise: bool) -> tuple[nn.Module, list[int]]:
    """Build the backbone and list the channels of its feature maps; a trained detector needs timm for unusual networks only."""
    known = None if initialise else resnet(config.backbone)
    if known is not None:
        return known, known.channels
    backbone = create_backbone(config.backbone, weights=weights)
    channels: list[int] = backbone.feature_info.channels()  # type: ignore[operator, union-attr]
    _require_feature_maps(backbone, channels[-1], config)
    return backbone, channels


@torch.no_grad()
def _require_feature_maps(backbone: nn.Module, channels: int, config: DetectorModelConfig) -> None:
    """Refuse networks that accept one image size only, or put channels last, before the first step."""
    side = config.input_size
    backbone_name, advice = f"model.backbone {config.backbone}", "choose a ResNet such as resnet18"
    try:
        shape = backbone.eval()(torch.zeros(1, 3, side, side))[-1].shape
    except (AssertionError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{backbone_name}: it refuses images of {side}x{side} ({reason:.200}); {advice}") from error
    finally:
        backbone.train()
    if len(shape) != 4 or shape[1] != channels:
        raise ConfigError(f"{backbone_name}: got features {list(shape)}, expected [1, {channels}, height, width]; {advice}")
