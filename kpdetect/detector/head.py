"""The head of Simple Baselines (Xiao, Wu, Wei 2018): transposed convolutions, then one 1x1 convolution to heatmaps."""

from __future__ import annotations

from torch import Tensor, nn


class HeatmapHead(nn.Module):
    """Coarsest features to heatmap logits.

    Args:
        inputs: channels of the features.
        width: channels of every stage.
        stages: 4x4 transposed convolutions of stride 2.
        keypoints: heatmaps.
    """

    def __init__(self, inputs: int, width: int, stages: int, keypoints: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage in range(stages):
            layers += [
                nn.ConvTranspose2d(inputs if stage == 0 else width, width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
        self.stages = nn.Sequential(*layers)
        self.heatmaps = nn.Conv2d(width, keypoints, 1)
        nn.init.normal_(self.heatmaps.weight, std=0.001)
        nn.init.zeros_(self.heatmaps.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Features [batch, inputs, h, w] to logits [batch, keypoints, h * 2^stages, w * 2^stages]."""
        return self.heatmaps(self.stages(features))  # type: ignore[no-any-return]
