"""Foreground network (paper 3.3 and appendix B): keypoints and embeddings to colours and a foreground mask."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from generator.config import ModelConfig
from generator.keypoints import SLOPE
from generator.layers import HeatFactors, PositionalStart, Spade, crop, grow, kaiming_conv


class KeypointBlock(nn.Module):
    """SPADE, leaky ReLU, 3x3 convolution (paper fig. 11)."""

    def __init__(self, inputs: int, outputs: int, side: int, config: ModelConfig) -> None:
        super().__init__()
        self.side = side
        self.spade = Spade(inputs, config.keypoints, config.embedding_width, config.spade_width)
        self.conv = kaiming_conv(inputs, outputs)

    def forward(self, features: Tensor, heat: HeatFactors, embeddings: Tensor) -> Tensor:
        """Features [batch, inputs, side + 2 margin, ...] to [batch, outputs, ...] of the same size."""
        styled = self.spade(features, heat.at(self.side), embeddings)
        return self.conv(functional.leaky_relu(styled, SLOPE))  # type: ignore[no-any-return]


class Foreground(nn.Module):
    """Draws the object and says where it is."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.tau, self.margin = config.tau, config.margin
        widths, side = config.widths, config.start_size
        self.start = PositionalStart(config.keypoints, widths[0], side, config.margin)
        blocks = [KeypointBlock(widths[0], widths[0], side, config) for _ in range(config.start_blocks - 1)]
        for before, after in zip(widths, (*widths[1:], widths[-1]), strict=True):
            blocks.append(KeypointBlock(before, after, side, config))  # narrows before the next up-sampling: cheaper there
            side *= 2
        self.blocks = nn.ModuleList(blocks)
        self.to_image = kaiming_conv(widths[-1], 4, kernel=1)

    def forward(self, keypoints: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Draw keypoints [batch, K, 2] with embeddings [batch, K, embedding].

        Returns:
            Colours [batch, 3, size, size] in (-1, 1) and mask logits [batch, 1, size, size].
        """
        heat = HeatFactors(keypoints, self.tau, self.margin)
        features = self.start(keypoints)
        side = self.blocks[0].side
        for block in self.blocks:
            if block.side != side:
                features, side = grow(features, self.margin), block.side
            features = block(features, heat, embeddings)
        output = self.to_image(functional.leaky_relu(crop(features, self.margin), SLOPE))
        return output[:, :3].tanh(), output[:, 3:]
