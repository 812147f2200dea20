"""A second discriminator. It sees the feature maps of a frozen, trained network.

Source: Projected GAN (Sauer et al. 2021), sections 3 and 4. Fixed random convolutions mix the maps over channels and depths, so
that the discriminator uses all of them. One head per map judges each position.

There are four differences from Projected GAN. The loss is the setting `optimiser.loss`. Maps are scaled to unit mean square.
The finest map is not used. The discriminator of pixels remains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from generator.keypoints import SLOPE
from kpdetect.errors import ConfigError


class FeatureNetwork(Protocol):
    """A frozen network that computes feature maps.

    Attributes:
        channels: number of channels of each map.
        hash: hash of its weights.
    """

    channels: list[int]
    hash: str

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Compute feature maps, finest first, of images [batch, 3, size, size] in [-1, 1]."""


Extract = Callable[[Tensor], Sequence[Tensor]]
"""A function from images [batch, 3, size, size] in [-1, 1] to feature maps [batch, channels, side, side]. Each map is half as
large as the map before it."""
LOGIT_SCALE = 3.0
"""Initial factor of the heads' outputs. Without it, spectral normalisation would keep the logits near 0."""


class FeatureDiscriminator(nn.Module):
    """A network from images [batch, channels, size, size] in [-1, 1] to logits [batch, places]; a positive logit means real.

    Args:
        extract: function that computes the feature maps. Its network is frozen and not part of this network's state.
        channels: number of channels of each map.
        width: number of channels of the mixed maps and of the heads.
    """

    def __init__(self, extract: Extract, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.extract = extract
        self.mix_channels = nn.ModuleList(_fixed(count, width, 1) for count in channels)
        self.mix_depths = nn.ModuleList(_fixed(width, width, 3) for _ in channels)
        self.heads = nn.ModuleList(_head(width, halvings) for halvings in reversed(range(len(channels))))
        self.scales = nn.Parameter(torch.full((len(channels),), LOGIT_SCALE))

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits [batch, places], float32."""
        maps = self.mixed(self.extract(images.expand(-1, 3, -1, -1)))
        judged = zip(self.heads, maps, self.scales, strict=True)
        return torch.cat([scale * head(features).float().flatten(1) for head, features, scale in judged], dim=1)

    def mixed(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Mix deeper maps into shallower maps, and return all maps, finest first."""
        mixed: list[Tensor] = []
        layers = list(zip(maps, self.mix_channels, self.mix_depths, strict=True))
        for features, over_channels, over_depths in reversed(layers):
            features = over_channels(features)
            if mixed:
                above = functional.interpolate(mixed[0], scale_factor=2, mode="bilinear", align_corners=False)
                features = (features + above) * 0.5**0.5
            mixed.insert(0, over_depths(features))
        return [one / (one.float().square().mean(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt() for one in mixed]


def require_maps(network: FeatureNetwork, size: int, device: torch.device) -> None:
    """Check that the maps of a network can be mixed.

    Raises:
        ConfigError: there are fewer than three maps, a map is not [batch, channels, side, side], or a map is not half as large
            as the map before it.
    """
    with torch.no_grad():
        shapes = [tuple(each.shape[1:]) for each in network(torch.zeros(1, 3, size, size, device=device))]
    sides = [shape[-1] for shape in shapes]
    expected = [(count, side, side) for count, side in zip(network.channels, sides, strict=False)]
    if len(shapes) < 3 or shapes != expected or any(one != 2 * two for one, two in pairwise(sides)):
        raise ConfigError(
            f"optimiser.feature_network: for images of {size} pixels its maps are {shapes}; expected at least three, each half "
            "as large as the one before; choose a ResNet or an EfficientNet"
        )


def _fixed(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
    return conv.requires_grad_(False)


def _head(width: int, halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(halvings):
        layers += [spectral_norm(nn.Conv2d(width, width, 4, stride=2, padding=1)), nn.LeakyReLU(SLOPE)]
    layers += [spectral_norm(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, 1)))
