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
        initialise: whether to read `backbone_weights`. False if the weights of a trained detector are loaded afterwards.

    Raises:
        ConfigError: timm has no such backbone, the backbone returns no feature maps for images of `input_size`, or its weights
            are not installed.
        CheckpointError: the file `backbone_weights` is missing, or its tensors do not fit the backbone.
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
    """Read the settings of the network for a training that starts from the weights of the detector `initial`.

    Args:
        run: run folder. If it already holds a configuration, the settings are read from it, and `initial` is not read.
        initial: weights file, run folder, project folder, or name of a model that comes with the package.

    Raises:
        CheckpointError, ConfigError: there is no detector at `initial`, or it is damaged.
    """
    if (run / CONFIG).exists():
        return read_config(DetectorConfig, run / CONFIG).model
    weights = find_weights(initial, "detector")
    return build_config(DetectorConfig, read_detector_description(weights).config, source=str(weights)).model


def _backbone(config: DetectorModelConfig, weights: Path | None, initialise: bool) -> tuple[nn.Module, list[int]]:
    """Build the backbone and list the channels of its feature maps. For a trained detector, avoid timm if possible."""
    known = None if initialise else resnet(config.backbone)
    if known is not None:
        return known, known.channels
    backbone = create_backbone(config.backbone, weights=weights)
    channels: list[int] = backbone.feature_info.channels()  # type: ignore[operator, union-attr]
    _require_feature_maps(backbone, channels[-1], config)
    return backbone, channels


@torch.no_grad()
def _require_feature_maps(backbone: nn.Module, channels: int, config: DetectorModelConfig) -> None:
    """Check that a backbone accepts images of `input_size`, and returns feature maps whose channels come before the sides."""
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
