"""The discriminator of the LatentKeypointGAN paper (He et al. 2021, fig. 12).

Each resolution has a 4x4 convolution of stride 2 and a 3x3 convolution. One linear layer follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from generator.config import ModelConfig, OptimiserConfig
from generator.growing import Stage
from generator.keypoints import SLOPE
from generator.layers import kaiming_conv


class HalvingBlock(nn.Module):
    """One resolution with a residual link. The discriminator of the four-page LatentKeypointGAN paper is a residual network."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve, self.conv = kaiming_conv(inputs, outputs, 4, stride=2, padding=1), kaiming_conv(outputs, outputs)
        self.short = kaiming_conv(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Compute features [batch, outputs, side / 2, side / 2] from features [batch, inputs, side, side]."""
        inner = functional.leaky_relu(self.conv(functional.leaky_relu(self.halve(features), SLOPE)), SLOPE)
        return (inner + self.short(functional.avg_pool2d(features, 2))) * 0.5**0.5  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """A network from images [batch, channels, size, size] in [-1, 1] to logits [batch]; a positive logit means real.

    Args:
        size: side of the images in pixels.
        widths: number of channels after each halving.
        channels: number of channels of the images.
        residual: whether there are residual links.
    """

    def __init__(self, size: int, widths: Sequence[int], channels: int = 3, residual: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for width in widths:
            layers += [HalvingBlock(before, width)] if residual else halving(before, width)
            before, size = width, size // 2
        self.features = nn.Sequential(*layers)
        self.logit = nn.Linear(before * size * size, 1)

    def forward(self, images: Tensor, stage: Stage | None = None) -> Tensor:
        """Compute logits [batch], float32; `stage` is for progressive models only."""
        features = self.features(images.contiguous(memory_format=torch.channels_last))
        return self.logit(features.flatten(1)).squeeze(1).float()  # type: ignore[no-any-return]


class GrowingDiscriminator(nn.Module):
    """A discriminator with an entry (fromRGB) at each image size; new entries are faded in with the generator (paper fig. 12).

    Args:
        sizes: sides of the images in pixels, ascending.
        widths: number of channels after each halving of the largest images.
        channels: number of channels of the images.
        residual: whether there are residual links.
    """

    def __init__(self, sizes: Sequence[int], widths: Sequence[int], channels: int = 3, residual: bool = False) -> None:
        super().__init__()
        self.size = sizes[-1]
        entries, blocks, side, before = {}, [], self.size, widths[0]
        for width in widths:
            if side in sizes:
                entries[str(side)] = nn.Sequential(kaiming_conv(channels, before, 1), nn.LeakyReLU(SLOPE))
            blocks.append(HalvingBlock(before, width) if residual else nn.Sequential(*halving(before, width)))
            before, side = width, side // 2
        self.entries, self.blocks = nn.ModuleDict(entries), nn.ModuleList(blocks)
        self.logit = nn.Linear(before * side * side, 1)

    def forward(self, images: Tensor, stage: Stage | None = None) -> Tensor:
        """Compute logits [batch], float32, of images [batch, channels, stage.size, stage.size]."""
        stage = stage or Stage(size=self.size)
        images = images.contiguous(memory_format=torch.channels_last)
        features, first = self.entries[str(stage.size)](images), (self.size // stage.size).bit_length() - 1
        for number, block in enumerate(self.blocks[first:]):
            features = block(features)
            if number == 0 and stage.adapting:
                small = self.entries[str(stage.size // 2)](functional.avg_pool2d(images, 2))
                features = stage.alpha * features + (1 - stage.alpha) * small
        return self.logit(features.flatten(1)).squeeze(1).float()  # type: ignore[no-any-return]


def halving(inputs: int, outputs: int) -> list[nn.Module]:
    """Build the layers of one resolution."""
    layers: list[nn.Module] = [kaiming_conv(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
    return [*layers, kaiming_conv(outputs, outputs), nn.LeakyReLU(SLOPE, inplace=True)]


def build_discriminator(model: ModelConfig, optimiser: OptimiserConfig) -> Discriminator | GrowingDiscriminator:
    """Build the discriminator of a configuration."""
    widths, residual = optimiser.discriminator_widths, optimiser.discriminator_residual
    network: Discriminator | GrowingDiscriminator
    if len(model.image_sizes) > 1:
        network = GrowingDiscriminator(model.image_sizes, widths, model.channels, residual)
    else:
        network = Discriminator(model.size, widths, model.channels, residual)
    if optimiser.spectral_norm:
        for layer in [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]:
            spectral_norm(layer)
    return network
