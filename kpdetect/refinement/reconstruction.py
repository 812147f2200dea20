"""Reconstruct an image from the appearance of one view and the keypoints of another (IMM, Jakab et al. 2018, section 3).

The image decoder knows the pose only from the keypoints. So training makes the keypoints describe where the parts are.

On request, the reconstruction and the image are also compared in features of a trained network (perceptual loss, Johnson et al.
2016). The training of a generator uses the same features (`generator.training.features`).
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
"""Number of feature maps that are compared, beginning with the finest."""
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
        CheckpointError: the weights do not fit the network.
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
        """Keep the network in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute feature maps of images [batch, 3, height, width] in [-1, 1]."""
        coloured = ((images + 1) / 2 - self.mean) / self.deviation
        return list(self.network(coloured.contiguous(memory_format=torch.channels_last))[:LAYERS])


def named_perception(network: str, features: str | None, setting: str, runtime: Runtime) -> Perception | None:
    """Load the network that the settings name onto the runtime's device. Return None if `features` is None.

    Args:
        network: timm's name of the network.
        features: file of its weights, `installed`, or None.
        setting: name of the setting in messages.
        runtime: device and precision.

    Raises:
        ConfigError, CheckpointError: there is no such network, or there are no weights for it.
    """
    if features is None:
        return None
    file = weights_file(features, network, setting)  # errors of weights_file name the setting
    try:
        perception = Perception(network, file)
    except (ConfigError, CheckpointError) as error:
        raise type(error)(f"{setting}: {error}") from error
    channels_last(perception)
    return perception.to(runtime.device)


def perception_of(config: ReconstructionConfig, runtime: Runtime) -> Perception | None:
    """Load the network in whose features reconstructions are compared. Return None if they are compared only in pixels."""
    features = config.features if config.weight else None
    return named_perception(config.feature_network, features, "reconstruction.features", runtime)


def feature_error(drawn: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Compute the relative squared difference of feature maps (scalar).

    For each layer it is the squared difference divided by the layer's mean square. The result is the mean over layers.
    """
    parts = []
    for first, second in zip(drawn, wanted, strict=True):
        first, second = first.float(), second.float()
        parts.append(((first - second) ** 2).mean() / (second**2).mean().clamp_min(1e-8))
    return torch.stack(parts).mean()


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Reconstruction(nn.Module):
    """An encoder of appearance and a decoder that draws images from appearance and keypoints.

    Args:
        keypoints: number of keypoints.
        size: side of the images in pixels. At the bottleneck, feature maps have a quarter of this side.
        width: channels at the bottleneck.
        sigma: standard deviation of the Gaussians that show the decoder the keypoints, in normalised units.
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
    """Make a random share of the square patches of images [batch, channels, height, width] in [-1, 1] grey (0)."""
    if not share:
        return images
    count, _, height, width = images.shape
    rows, columns = -(-height // patch), -(-width // patch)
    seen = (torch.rand(count, 1, rows, columns, generator=source) >= share).to(images)
    return images * seen.repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)[..., :height, :width]


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def shrink(images: Tensor, size: int) -> Tensor:
    """Resize images [batch, 3, side, side] to the smaller side `size`, without aliasing."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)


def reconstruction_losses(
    decoder: nn.Module, perception: Perception | None, views: tuple[Tensor, Tensor], keypoints: Tensor, runtime: Runtime
) -> dict[str, Tensor]:
    """Compute the errors of the second view when it is drawn from its keypoints and the appearance of the first view.

    Args:
        decoder: the network that draws the second view.
        perception: network in whose features the drawn view is also compared; None: only in pixels.
        views: the first view, as the decoder sees it, and the second view, both [batch, 3, side, side].
        keypoints: [batch, K, 2], normalised keypoints of the second view.
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
