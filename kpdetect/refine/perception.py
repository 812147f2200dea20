"""Features of a trained network, in which a reconstruction is compared with what it should be (perceptual loss, Johnson et al.
2016) and drawn images with real ones (`generator.features`)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from kpdetect.detector.backbone import create_backbone
from kpdetect.detector.installed import weights_file
from kpdetect.errors import CheckpointError, ConfigError
from kpdetect.files import file_hash
from kpdetect.runtime import Runtime, channels_last

LAYERS = 4
"""Finest feature maps that are given."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours in [0, 1], per channel."""


class Perception(nn.Module):
    """A frozen network that gives feature maps.

    Args:
        name: timm's name of the network.
        weights: its trained weights, a local file.

    Attributes:
        channels: of its feature maps.
        hash: of its weights.

    Raises:
        ConfigError: timm has no such network.
        CheckpointError: the weights do not fit.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, weights: Path) -> None:
        super().__init__()
        self.network = create_backbone(name, weights=weights).eval().requires_grad_(False)
        self.hash = file_hash(weights)
        self.channels: list[int] = self.network.feature_info.channels()[:LAYERS]  # type: ignore[operator, union-attr]
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None])

    def train(self, mode: bool = True) -> Perception:
        """Stays in evaluation mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images [batch, 3, height, width] in [-1, 1]."""
        coloured = ((images + 1) / 2 - self.mean) / self.deviation
        return list(self.network(coloured.contiguous(memory_format=torch.channels_last))[:LAYERS])


def named_perception(network: str, features: str | None, setting: str, runtime: Runtime) -> Perception | None:
    """The network that settings name, on the device where it is to run; None where they name none.

    Args:
        network: timm's name of it.
        features: the file of its weights, `installed`, or None.
        setting: what the user calls the setting that says so.
        runtime: device and precision.

    Raises:
        ConfigError, CheckpointError: no such network, or no weights for it.
    """
    if features is None:
        return None
    file = weights_file(features, network, setting)  # names the setting itself
    try:
        found = Perception(network, file)
    except (ConfigError, CheckpointError) as error:
        raise type(error)(f"{setting}: {error}") from error
    channels_last(found)
    return found.to(runtime.device)


def feature_error(found: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Mean over layers of the squared difference relative to the layer's mean square (scalar): layers count alike."""
    parts = []
    for first, second in zip(found, wanted, strict=True):
        first, second = first.float(), second.float()
        parts.append(((first - second) ** 2).mean() / (second**2).mean().clamp_min(1e-8))
    return torch.stack(parts).mean()
