"""Discriminator (paper fig. 12): per resolution a 4x4 convolution of stride 2 and a 3x3 convolution, then one linear layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from generator.keypoints import SLOPE
from generator.layers import kaiming_conv


class Discriminator(nn.Module):
    """Images [batch, 3, size, size] in [-1, 1] to logits [batch]; positive means real."""

    def __init__(self, size: int, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in widths:
            layers += [kaiming_conv(before, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            layers += [kaiming_conv(width, width), nn.LeakyReLU(SLOPE)]
            before, size = width, size // 2
        self.features = nn.Sequential(*layers)
        self.logit = nn.Linear(before * size * size, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch], float32."""
        features = self.features(images.contiguous(memory_format=torch.channels_last))
        return self.logit(features.flatten(1)).squeeze(1).float()  # type: ignore[no-any-return]
