"""Reconstruct an image from the appearance of one view and the keypoints of another (IMM, Jakab et al. 2018, section 3).

The decoder knows the pose from the keypoints only, so the keypoints must describe where the parts are.

Reconstructions are also compared in features of a trained network (perceptual loss, Johnson et al. 2016). The generator uses
the same features (`generator.training.features`).
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
from kpdetect.refinement.config import ReconstructionConfig
from kpdetect.training.runtime import Runtime, channels_last

LAYERS = 4
"""Number of feature maps that are used, beginning with the finest."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of the colours of ImageNet, in [0, 1], per channel."""


class Perception(nn.Module):
    """A frozen network from images to feature maps.

    Args:
        name: timm's name of the network.
        weights: local file of its trained weights.

    Attributes:
        channels: numbers of channels of the feature maps.
        hash: hash of the weights.

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
        """Keep the network in evaluation mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute feature maps of images [batch, 3, height, width] in [-1, 1]."""
        coloured = ((images + 1) / 2 - self.mean) / self.deviation
        return list(self.network(coloured.contiguous(memory_format=torch.channels_last))[:LAYERS])


def named_perception(network: str, features: str | None, setting: str, runtime: Runtime) -> Perception | None:
    """Load the network that the settings name onto the device; None if they name none.

    Args:
        network: timm's name of the network.
        features: file of its weights, `installed`, or None.
        setting: name of the setting in messages.
        runtime: device and precision.

    Raises:
        ConfigError, CheckpointError: there is no such network, or no weights for it.
    """
    if features is None:
        return None
    file = weights_file(features, network, setting)  # its errors name the setting
    try:
        perception = Perception(network, file)
    except (ConfigError, CheckpointError) as error:
        raise type(error)(f"{setting}: {error}") from error
    channels_last(perception)
    return perception.to(runtime.device)


def perception_of(config: ReconstructionConfig, runtime: Runtime) -> Perception | None:
    """The network in whose features reconstructions are compared, on the device; None if they are compared in pixels alone."""
    features = config.features if config.weight else None
    return named_perception(config.feature_network, features, "reconstruction.features", runtime)


def feature_error(drawn: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Compute the mean over layers of the squared difference, relative to the layer's mean square (scalar)."""
    parts = []
    for first, second in zip(drawn, wanted, strict=True):
        first, second = first.float(), second.float()
        parts.append(((first - second) ** 2).mean() / (second**2).mean().clamp_min(1e-8))
    return torch.stack(parts).mean()


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Reconstruction(nn.Module):
    """Appearance encoder and image decoder around the keypoint bottleneck.

    Args:
        keypoints: K.
        size: side of the images. The side of the bottleneck is a quarter of it.
        width: channels at the bottleneck.
        sigma: standard deviation of the Gaussians, in normalised units.
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
        """Draw the object of `source` [batch, 3, size, size] with its keypoints at the places `keypoints` [batch, K, 2]."""
        look = self.look(source.contiguous(memory_format=torch.channels_last))
        heat = gaussian_heatmaps(keypoints, (self.size // 4, self.size // 4), self.tau).to(look.dtype)
        features = self.coarse(torch.cat([look, heat], dim=1).contiguous(memory_format=torch.channels_last))
        return self.fine(_doubled(self.middle(_doubled(features)))).float()  # type: ignore[no-any-return]


def hide_patches(images: Tensor, share: float, patch: int, source: torch.Generator) -> Tensor:
    """Turn about this share of square patches of images [batch, channels, height, width] in [-1, 1] grey (0)."""
    if not share:
        return images
    count, _, height, width = images.shape
    rows, columns = -(-height // patch), -(-width // patch)
    seen = (torch.rand(count, 1, rows, columns, generator=source) >= share).to(images)
    return images * seen.repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)[..., :height, :width]


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def shrink(images: Tensor, size: int) -> Tensor:
    """Resize images [batch, 3, side, side] to a smaller side, without aliasing."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)


def reconstruction_losses(
    decoder: nn.Module, perception: Perception | None, views: tuple[Tensor, Tensor], keypoints: Tensor, runtime: Runtime
) -> dict[str, Tensor]:
    """How badly the second view is drawn from its keypoints and the first view's look.

    Args:
        decoder: draws.
        perception: gives features that are compared too.
        views: the first view, as the decoder sees it, and the second, both [batch, 3, side, side].
        keypoints: [batch, K, 2] of the second view.
        runtime: device and precision.
    """
    look, wanted = views
    with runtime.autocast():
        drawn = decoder(look, keypoints)
        losses = {"loss_pixels": ((drawn - wanted) ** 2).mean()}
        if perception is not None:
            with torch.no_grad():
                target = perception(wanted)
            losses["loss_features"] = feature_error(perception(drawn), target)
    return losses
