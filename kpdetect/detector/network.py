"""The network of a detector, and a function that reads keypoints from its heatmaps.

The head is a pyramid (`PyramidHead`), or the head of Simple Baselines (Xiao, Wu, Wei 2018): transposed convolutions, then a 1x1
convolution to heatmaps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from kpdetect.detector.pyramid import PyramidHead
from kpdetect.heatmaps import grid_axis, soft_argmax


class HeatmapHead(nn.Module):
    """A head from the coarsest features to heatmap logits.

    Args:
        inputs: channels of the features.
        width: channels after every transposed convolution.
        stages: number of 4x4 transposed convolutions with stride 2.
        keypoints: number of heatmaps.
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
        """Map features [batch, inputs, h, w] to logits [batch, keypoints, h * 2^stages, w * 2^stages]."""
        return self.heatmaps(self.stages(features))  # type: ignore[no-any-return]


PEAK_RADIUS = 0.15
"""The confidence is the heatmap's probability mass within this distance of the keypoint, in normalised units."""


class Detector(nn.Module):
    """A network from images to heatmap logits.

    Args:
        backbone: network from images to a list of feature maps, finest first.
        head: network from the last feature map to heatmaps. A `PyramidHead` gets all feature maps.
        input_size: side in pixels to which images are resized before the backbone.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, input_size: int) -> None:
        super().__init__()
        self.backbone, self.head, self.input_size = backbone, head, input_size

    def forward(self, images: Tensor) -> Tensor:
        """Map images float32 [batch, 3, height, width] in [-1, 1] to logits [batch, keypoints, h, w]."""
        size = (self.input_size, self.input_size)
        if images.shape[-2:] != size:
            images = functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        features = self.backbone(images.contiguous(memory_format=torch.channels_last))
        return self.head(features if isinstance(self.head, PyramidHead) else features[-1])  # type: ignore[no-any-return]


def read_heatmaps(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Read keypoints and confidence from heatmap logits [batch, keypoints, h, w].

    Returns:
        Keypoints [batch, keypoints, 2], normalised float32, and confidence [batch, keypoints] in [0, 1]. The confidence is the
        heatmap's probability mass within `PEAK_RADIUS` of the keypoint. It is low if the heatmap is flat or has two peaks.
    """
    keypoints, probabilities = soft_argmax(logits)
    axis_y, axis_x = grid_axis(logits.shape[2], like=probabilities), grid_axis(logits.shape[3], like=probabilities)
    squared = (axis_x - keypoints[..., 0:1])[..., None, :] ** 2 + (axis_y - keypoints[..., 1:2])[..., None] ** 2
    mass = (probabilities * (squared <= PEAK_RADIUS**2)).sum(dim=(2, 3))
    return keypoints, mass.clamp(max=1.0)  # rounding errors of the softmax can add up to more than 1
