"""The network of a detector, and how its heatmaps are read.

The head is a pyramid (`PyramidHead`), or that of Simple Baselines (Xiao, Wu, Wei 2018): transposed convolutions, then one 1x1
convolution to heatmaps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from kpdetect.detector.pyramid import PyramidHead
from kpdetect.heatmaps import grid_axis, soft_argmax


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


PEAK_RADIUS = 0.15
"""Probability within this distance (normalised units) of the prediction counts as confidence."""


class Detector(nn.Module):
    """Images to heatmap logits.

    Args:
        backbone: gives a list of feature maps, finest first.
        head: maps the last one to heatmaps, or all of them if it is a `PyramidHead`.
        input_size: side to which images are resized first.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, input_size: int) -> None:
        super().__init__()
        self.backbone, self.head, self.input_size = backbone, head, input_size

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [batch, 3, height, width] in [-1, 1] to logits [batch, keypoints, h, w]."""
        size = (self.input_size, self.input_size)
        if images.shape[-2:] != size:
            images = functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        features = self.backbone(images.contiguous(memory_format=torch.channels_last))
        return self.head(features if isinstance(self.head, PyramidHead) else features[-1])  # type: ignore[no-any-return]


def read_heatmaps(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints and confidence of heatmap logits [batch, keypoints, h, w].

    Returns:
        keypoints [batch, keypoints, 2], normalised float32; confidence [batch, keypoints] in [0, 1]: the probability
        mass within `PEAK_RADIUS` of the prediction, low where a heatmap is flat or has two peaks.
    """
    keypoints, probabilities = soft_argmax(logits)
    axis_y, axis_x = grid_axis(logits.shape[2], like=probabilities), grid_axis(logits.shape[3], like=probabilities)
    squared = (axis_x - keypoints[..., 0:1])[..., None, :] ** 2 + (axis_y - keypoints[..., 1:2])[..., None] ** 2
    mass = (probabilities * (squared <= PEAK_RADIUS**2)).sum(dim=(2, 3))
    return keypoints, mass.clamp(max=1.0)  # rounding of the softmax can exceed 1
