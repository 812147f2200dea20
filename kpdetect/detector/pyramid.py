"""A head that joins feature maps of several sizes (feature pyramid, Lin et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


class PyramidHead(nn.Module):
    """A head from feature maps to heatmap logits. Coarse maps tell keypoints apart, and fine maps locate them exactly.

    Args:
        inputs: channels of the backbone's feature maps, finest first.
        width: channels of every feature map inside the head.
        stages: number of times that the coarsest map is enlarged and the next finer map is added, at most up to the finest.
        keypoints: number of heatmaps.
    """

    def __init__(self, inputs: Sequence[int], width: int, stages: int, keypoints: int) -> None:
        super().__init__()
        used = inputs[-stages - 1 :]
        self.lateral = nn.ModuleList([nn.Conv2d(channels, width, 1) for channels in used])
        self.smooth = nn.ModuleList([_smooth(width) for _ in used])
        self.heatmaps = nn.Conv2d(width, keypoints, 1)
        nn.init.normal_(self.heatmaps.weight, std=0.001)
        nn.init.zeros_(self.heatmaps.bias)  # type: ignore[arg-type]

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map feature maps [batch, inputs, h, w], finest first, to logits [batch, keypoints, h, w] of the finest one used."""
        levels = list(zip(features[-len(self.lateral) :], self.lateral, self.smooth, strict=True))
        coarsest, lateral, smooth = levels.pop()
        merged = smooth(lateral(coarsest))
        for finer, lateral, smooth in reversed(levels):
            merged = smooth(functional.interpolate(merged, finer.shape[-2:], mode="nearest") + lateral(finer))
        return self.heatmaps(merged)  # type: ignore[no-any-return]


def _smooth(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
