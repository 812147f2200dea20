"""A second discriminator, of feature maps of a frozen, trained network (Projected GAN, Sauer et al. 2021, sections 3 and 4).

Fixed random convolutions mix the maps over channels and depths, so that all of them carry signal. One head per map judges each
position. Differences from the paper: the loss is `optimiser.loss`; maps are scaled to unit mean square; the finest map is not
used; the discriminator of pixels remains.
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
"""Images [batch, 3, size, size] in [-1, 1] to maps [batch, channels, side, side], each half as large as the one before."""
LOGIT_SCALE = 3.0
"""Initial factor of the heads' outputs: with spectral normalisation alone logits stay near 0."""


class FeatureDiscriminator(nn.Module):
    """Images [batch, channels, size, size] in [-1, 1] to logits [batch, places]; positive means real.

    Args:
        extract: computes the feature maps. It is frozen, and a plain function, so it is not part of the state.
        channels: of each map.
        width: channels of the mixed maps and of the heads.
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
        """Mix deeper maps into the shallower ones; returns the maps, finest first."""
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
        ConfigError: there are fewer than three, or they are not [batch, channels, side, side],
            each half as large as the one before.
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
