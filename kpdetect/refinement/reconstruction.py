"""An image from the look of one view and the keypoints of another: the keypoints are all that is known of the pose, so they
have to say where things are (IMM, Jakab et al. 2018, section 3 and figure 2).

Features of a trained network, in which a reconstruction is compared with what it should be (perceptual loss, Johnson et al.
2016) and drawn images with real ones (`generator.training.features`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from kpdetect.detector.backbone import create_backbone, weights_file
from kpdetect.errors import CheckpointError, ConfigError
from kpdetect.files.hashes import file_hash
from kpdetect.heatmaps import gaussian_heatmaps
from kpdetect.training.runtime import Runtime, channels_last

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


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Reconstruction(nn.Module):
    """Appearance encoder and image decoder around the keypoint bottleneck.

    Args:
        keypoints: K.
        size: side of the images; the bottleneck's is a quarter.
        width: channels at the bottleneck.
        sigma: standard deviation of the Gaussians, normalised units.
    """

    def __init__(self, keypoints: int, size: int, width: int, sigma: float) -> None:
        super().__init__()
        self.size, self.tau = size, 2 * sigma**2
        half, quarter = width // 2, width // 4
        self.look = nn.Sequential(
            block(3, quarter), block(quarter, half, 2), block(half, half), block(half, width, 2), block(width, width)
        )
        self.coarse = nn.Sequential(block(width + keypoints, width), block(width, half))
        self.middle = nn.Sequential(block(half, half), block(half, quarter))
        self.fine = nn.Sequential(block(quarter, quarter), nn.Conv2d(quarter, 3, 3, 1, 1))

    def forward(self, source: Tensor, keypoints: Tensor) -> Tensor:
        """Draw the content of `source` [batch, 3, size, size] with keypoints [batch, K, 2] where they are said to be."""
        look = self.look(source.contiguous(memory_format=torch.channels_last))
        heat = gaussian_heatmaps(keypoints, (self.size // 4, self.size // 4), self.tau).to(look.dtype)
        features = self.coarse(torch.cat([look, heat], dim=1).contiguous(memory_format=torch.channels_last))
        return self.fine(_doubled(self.middle(_doubled(features)))).float()  # type: ignore[no-any-return]


def hide_patches(images: Tensor, share: float, patch: int, source: torch.Generator) -> Tensor:
    """Images [batch, channels, height, width] in [-1, 1] with about this share of their square patches turned grey (0)."""
    if not share:
        return images
    count, _, height, width = images.shape
    rows, columns = -(-height // patch), -(-width // patch)
    seen = (torch.rand(count, 1, rows, columns, generator=source) >= share).to(images)
    return images * seen.repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)[..., :height, :width]


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def shrink(images: Tensor, size: int) -> Tensor:
    """Images [batch, 3, side, side] at a smaller side, without aliasing."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)
