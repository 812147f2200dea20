"""Background network (paper appendix B): of the foreground's kind, with AdaIN from one embedding in the place of SPADE.

The paper does not say what it starts from; ours is the positional encoding of one random centre, so that it knows nothing
of the keypoints.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from generator.config import ModelConfig
from generator.keypoints import SLOPE
from generator.layers import AdaIn, PositionalStart, crop, grow, kaiming_conv


class Background(nn.Module):
    """Draws what is behind the object."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = config.background_widths
        self.margin = config.margin
        self.start = PositionalStart(1, widths[0], config.start_size, config.margin)
        pairs = list(zip(widths, (*widths[1:], widths[-1]), strict=True))
        self.norms = nn.ModuleList(AdaIn(before, config.embedding_width) for before, _ in pairs)
        self.convs = nn.ModuleList(kaiming_conv(before, after) for before, after in pairs)
        self.to_image = kaiming_conv(widths[-1], 3, kernel=1)

    def forward(self, centre: Tensor, embedding: Tensor) -> Tensor:
        """Centre [batch, 2] and embedding [batch, embedding] to colours [batch, 3, size, size] in (-1, 1)."""
        features = self.start(centre[:, None])
        for index, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            if index:
                features = grow(features, self.margin)
            features = conv(functional.leaky_relu(norm(features, embedding), SLOPE))
        return self.to_image(functional.leaky_relu(crop(features, self.margin), SLOPE)).tanh()  # type: ignore[no-any-return]
