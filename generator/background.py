"""Background network (paper appendix B): of the foreground's kind, with AdaIN from one embedding in the place of SPADE.

The paper does not say what it starts from; ours is the positional encoding of one random centre, so that it knows nothing
of the keypoints.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from generator.config import ModelConfig
from generator.keypoints import SLOPE
from generator.layers import AdaIn, LearnedStart, PositionalStart, crop, grow, kaiming_conv


class BackgroundBlock(nn.Module):
    """The residual block of the foreground with AdaIN; of `ModelConfig.block` resnet."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.first, self.second = AdaIn(inputs, embedding), AdaIn(middle, embedding)
        self.conv_first, self.conv_second = kaiming_conv(inputs, middle), kaiming_conv(middle, outputs)
        self.conv_short = kaiming_conv(inputs, outputs, kernel=1) if inputs != outputs else nn.Identity()

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Features [batch, inputs, height, width] to [batch, outputs, height, width]."""
        inner = self.conv_first(functional.leaky_relu(self.first(features, embedding), SLOPE, inplace=True))
        inner = self.conv_second(functional.leaky_relu(self.second(inner, embedding), SLOPE, inplace=True))
        return self.conv_short(features) + inner  # type: ignore[no-any-return]


class Background(nn.Module):
    """Draws what is behind the object."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = config.background_widths
        self.margin, self.residual = config.margin, config.block == "resnet"
        self.start: PositionalStart | LearnedStart
        if config.start == "positional":
            self.start = PositionalStart(1, widths[0], config.start_size, config.margin)
        else:
            self.start = LearnedStart(widths[0], config.start_size, config.margin)
        pairs = config.block_widths(widths)
        if self.residual:
            self.blocks = nn.ModuleList(BackgroundBlock(before, after, config.embedding_width) for before, after in pairs)
        else:
            self.norms = nn.ModuleList(AdaIn(before, config.embedding_width) for before, _ in pairs)
            self.convs = nn.ModuleList(kaiming_conv(before, after) for before, after in pairs)
        self.to_image = kaiming_conv(pairs[-1][1], config.channels, kernel=1)

    def forward(self, centre: Tensor, embedding: Tensor) -> Tensor:
        """Centre [batch, 2] and embedding [batch, embedding] to colours [batch, channels, size, size] in (-1, 1)."""
        features = self.start(centre[:, None])
        for index in range(len(self.blocks if self.residual else self.convs)):
            if index:
                features = grow(features, self.margin)
            features = self._block(index, features, embedding)
        return self.to_image(functional.leaky_relu(crop(features, self.margin), SLOPE)).tanh()  # type: ignore[no-any-return]

    def _block(self, index: int, features: Tensor, embedding: Tensor) -> Tensor:
        if self.residual:
            return self.blocks[index](features, embedding)  # type: ignore[no-any-return]
        return self.convs[index](functional.leaky_relu(self.norms[index](features, embedding), SLOPE, inplace=True))  # type: ignore[no-any-return]
