"""The smaller ResNets (He et al. 2016), for trained detectors. Their weights have the same names as in timm.

If a detector is already trained, its backbone can be built without timm. This saves `kpdetect predict` the import of timm,
which takes longer than that of torch. Training builds its backbones with timm; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The differences between the ResNets.

    Attributes:
        blocks: number of blocks in each stage.
        tiered: whether the network is of timm's kind `t`. It then begins with three 3x3 convolutions instead of one 7x7
            convolution, and its shortcuts average pixels instead of skipping them.
    """

    blocks: tuple[int, int, int, int]
    tiered: bool = False


KINDS = {
    "resnet10t": Kind(blocks=(1, 1, 1, 1), tiered=True),
    "resnet18": Kind(blocks=(2, 2, 2, 2)),
    "resnet34": Kind(blocks=(3, 4, 6, 3)),
}


class Block(nn.Module):
    """A residual block: two 3x3 convolutions and a shortcut past them."""

    def __init__(self, inputs: int, width: int, stride: int, tiered: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1, self.act1 = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2, self.act2 = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != width:
            pool = [nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False)] if tiered else []
            skip = nn.Conv2d(inputs, width, 1, 1 if tiered else stride, bias=False)
            self.downsample = nn.Sequential(*pool, skip, nn.BatchNorm2d(width))

    def forward(self, features: Tensor) -> Tensor:
        """Map features [batch, inputs, h, w] to features [batch, width, h / stride, w / stride]."""
        past = features if self.downsample is None else self.downsample(features)
        changed = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(features)))))
        return self.act2(changed.add_(past))  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """A network from images to feature maps.

    Attributes:
        channels: number of channels of each feature map, finest first.
    """

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.channels = [WIDTHS[0], *WIDTHS]
        self.conv1 = _stem() if kind.tiered else nn.Conv2d(3, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1, self.act1 = nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = WIDTHS[0]
        for number, (width, count) in enumerate(zip(WIDTHS, kind.blocks, strict=True), start=1):
            first = Block(inputs, width, 1 if number == 1 else 2, kind.tiered)
            rest = [Block(width, width, 1, kind.tiered) for _ in range(count - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *rest))
            inputs = width

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images [batch, 3, height, width] to five feature maps, with 1/2, 1/4, 1/8, 1/16 and 1/32 of their sides."""
        maps = [self.act1(self.bn1(self.conv1(images)))]
        features = self.maxpool(maps[0])
        for number in range(1, len(WIDTHS) + 1):
            features = getattr(self, f"layer{number}")(features)
            maps.append(features)
        return maps


def _stem() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, 2, 1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(inplace=True),
        nn.Conv2d(24, 32, 3, 1, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, WIDTHS[0], 3, 1, 1, bias=False),
    )


def resnet(name: str) -> ResNet | None:
    """Build the ResNet with this timm name. Return None if this module does not have it."""
    return ResNet(KINDS[name]) if name in KINDS else None
