"""The two networks that draw images (LatentKeypointGAN, He et al. 2021).

The foreground network (paper 3.3, appendix B) draws the object and its mask, or the whole image, from keypoints and embeddings.

The background network (paper appendix B) has the same blocks, with AdaIN from one embedding instead of SPADE. The paper does
not state its first feature map. We use the positional encoding of one random centre, which is independent of the keypoints.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from generator.config import ModelConfig
from generator.growing import Stage, faded
from generator.keypoints import SLOPE
from generator.layers import AdaIn, LearnedStart, PositionalStart, Spade, StyleMap, crop, grow, kaiming_conv, nearest_heat
from kpdetect.heatmaps import gaussian_axes


class BackgroundBlock(nn.Module):
    """A residual block with AdaIN, for the background network of models whose `ModelConfig.block` is resnet."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.first, self.second = AdaIn(inputs, embedding), AdaIn(middle, embedding)
        self.conv_first, self.conv_second = kaiming_conv(inputs, middle), kaiming_conv(middle, outputs)
        self.conv_short = kaiming_conv(inputs, outputs, kernel=1) if inputs != outputs else nn.Identity()

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Compute features [batch, outputs, height, width] from features [batch, inputs, height, width]."""
        inner = self.conv_first(functional.leaky_relu(self.first(features, embedding), SLOPE, inplace=True))
        inner = self.conv_second(functional.leaky_relu(self.second(inner, embedding), SLOPE, inplace=True))
        return self.conv_short(features) + inner  # type: ignore[no-any-return]


class Background(nn.Module):
    """The background network."""

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
        """Draw colours [batch, channels, size, size] in (-1, 1) from centre [batch, 2] and embedding [batch, embedding]."""
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


def style_layer(width: int, config: ModelConfig) -> Spade | AdaIn:
    """Build a normalisation of `width` channels for a style map: SPADE, or AdaIN from the background embedding."""
    if config.style == "adain":
        return AdaIn(width, config.embedding_width)
    embedding = 1 if config.embedding == "none" else config.embedding_width
    drawn_behind = not config.separate_background and config.background_part
    return Spade(width, config.keypoints, embedding, config.spade_width, config.embedding_width if drawn_behind else 0)


def restyle(layer: Spade | AdaIn, features: Tensor, style: StyleMap, side: int) -> Tensor:
    """Apply a layer of `style_layer` to features [batch, width, side + 2 margin, ...]; the shape stays the same."""
    if isinstance(layer, AdaIn):
        return layer(features, style.parts.background)  # type: ignore[no-any-return]
    behind = style.behind(side) if layer.style.has_background else None
    return layer(features, style.at(side), style.parts.embeddings, behind, style.parts.copies)  # type: ignore[no-any-return]


class KeypointBlock(nn.Module):
    """A block of style layer, leaky ReLU and 3x3 convolution (paper fig. 11)."""

    def __init__(self, inputs: int, outputs: int, side: int, config: ModelConfig) -> None:
        super().__init__()
        self.side = side
        self.spade = style_layer(inputs, config)
        self.conv = kaiming_conv(inputs, outputs)

    def forward(self, features: Tensor, style: StyleMap) -> Tensor:
        """Compute features [batch, outputs, side + 2 margin, ...] from features [batch, inputs, ...] of the same size."""
        return self.conv(functional.leaky_relu(restyle(self.spade, features, style, self.side), SLOPE, inplace=True))  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """SPADE's residual block (Park et al. 2019; paper appendix B)."""

    def __init__(self, inputs: int, outputs: int, side: int, config: ModelConfig) -> None:
        super().__init__()
        self.side, middle = side, min(inputs, outputs)
        self.first, self.second = style_layer(inputs, config), style_layer(middle, config)
        self.conv_first, self.conv_second = kaiming_conv(inputs, middle), kaiming_conv(middle, outputs)
        if inputs != outputs:
            self.short, self.conv_short = style_layer(inputs, config), kaiming_conv(inputs, outputs, kernel=1)

    def forward(self, features: Tensor, style: StyleMap) -> Tensor:
        """Compute features [batch, outputs, side + 2 margin, ...] from features [batch, inputs, ...] of the same size."""
        straight = features
        if hasattr(self, "short"):
            straight = self.conv_short(restyle(self.short, features, style, self.side))
        inner = self.conv_first(functional.leaky_relu(restyle(self.first, features, style, self.side), SLOPE, inplace=True))
        inner = functional.leaky_relu(restyle(self.second, inner, style, self.side), SLOPE, inplace=True)
        return straight + self.conv_second(inner)  # type: ignore[no-any-return]


class Foreground(nn.Module):
    """The foreground network. It draws the object and its mask; without a separate background network it draws whole images.

    Progressive models have one output per image size; `stage` chooses it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config, self.margin = config, config.margin
        widths, side = config.widths, config.start_size
        self.start: PositionalStart | LearnedStart
        if config.start == "positional":
            self.start = PositionalStart(config.keypoints, widths[0], side, config.margin)
        else:
            self.start = LearnedStart(widths[0], side, config.margin)
        block = KeypointBlock if config.block == "conv" else ResidualBlock
        blocks: list[KeypointBlock | ResidualBlock] = []
        blocks += [block(widths[0], widths[0], side, config) for _ in range(config.start_blocks - 1)]
        outputs = {}
        for before, after in config.block_widths(widths):
            blocks.append(block(before, after, side, config))
            outputs[side] = after
            side *= 2
        self.blocks = nn.ModuleList(blocks)
        drawn = config.channels + 1 if config.separate_background else config.channels
        *smaller, last = config.image_sizes
        self.to_image = kaiming_conv(outputs[last], drawn, kernel=1)
        self.to_smaller = nn.ModuleDict({str(side): kaiming_conv(outputs[side], drawn, kernel=1) for side in smaller})

    def forward(self, style: StyleMap, stage: Stage | None = None) -> tuple[Tensor, Tensor | None]:
        """Draw a style map.

        Returns:
            Colours [batch, channels, size, size] in (-1, 1), and mask logits [batch, 1, size, size] where there is a separate
            background.
        """
        stage = stage or Stage(size=self.config.size)
        features, side = self.start(style.parts.origins), self.config.start_size
        smaller: Tensor | None = None
        for block in self.blocks:
            here = int(block.side)  # type: ignore[arg-type]
            if here > stage.size:
                break
            if here != side:
                if stage.adapting and here == stage.size:
                    smaller = self._image(features, side)
                features, side = grow(features, self.margin), here
            features = block(features, style)
        output = self._image(features, side)
        if smaller is not None:
            output = faded(output, smaller, stage)
        if self.config.separate_background:
            return output[:, :-1].tanh(), output[:, -1:]
        return output.tanh(), None

    def _image(self, features: Tensor, side: int) -> Tensor:
        layer = self.to_image if side == self.config.size else self.to_smaller[str(side)]
        output: Tensor = layer(functional.leaky_relu(crop(features, self.margin), SLOPE))
        return output


def foreground_mask(logits: Tensor | None, style: StyleMap, config: ModelConfig, size: int) -> Tensor:
    """Compute the mask [batch, 1, size, size] in (0, 1) from mask logits; without them, the nearest keypoint's heatmap."""
    if logits is not None and config.mask_prior:
        near = nearest_heat(*gaussian_axes(style.parts.keypoints, (size, size), config.mask_tau))[:, None]
        return (logits + config.mask_prior * (2 * near - 1)).sigmoid()
    if logits is not None:
        return logits.sigmoid()
    return nearest_heat(*style.axes(size, margin=0))[:, None]
