"""An image from the look of one view and the keypoints of another: the keypoints are all that is known of the pose, so they
have to say where things are (IMM, Jakab et al. 2018, section 3 and figure 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from kpdetect.heatmaps import gaussian_heatmaps


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Reconstruction(nn.Module):
    """Appearance encoder and image decoder around the keypoint bottleneck.

    Args:
        keypoints: K.
        size: side of the images; the bottleneck's is a quarter.
        width: channels at the bottleneck.
        sigma: standard deviation of the Gaussians, normalised units.
    """

    def __init__(self, keypoints: int, size: int, width: int, sigma: float) -> None:
        super().__init__()
        self.size, self.tau = size, 2 * sigma**2
        half, quarter = width // 2, width // 4
        self.look = nn.Sequential(
            block(3, quarter), block(quarter, half, 2), block(half, half), block(half, width, 2), block(width, width)
        )
        self.coarse = nn.Sequential(block(width + keypoints, width), block(width, half))
        self.middle = nn.Sequential(block(half, half), block(half, quarter))
        self.fine = nn.Sequential(block(quarter, quarter), nn.Conv2d(quarter, 3, 3, 1, 1))

    def forward(self, source: Tensor, keypoints: Tensor) -> Tensor:
        """Draw the content of `source` [batch, 3, size, size] with keypoints [batch, K, 2] where they are said to be."""
        look = self.look(source.contiguous(memory_format=torch.channels_last))
        heat = gaussian_heatmaps(keypoints, (self.size // 4, self.size // 4), self.tau).to(look.dtype)
        features = self.coarse(torch.cat([look, heat], dim=1).contiguous(memory_format=torch.channels_last))
        return self.fine(_doubled(self.middle(_doubled(features)))).float()  # type: ignore[no-any-return]


def hide_patches(images: Tensor, share: float, patch: int, source: torch.Generator) -> Tensor:
    """Images [batch, channels, height, width] in [-1, 1] with about this share of their square patches turned grey (0)."""
    if not share:
        return images
    count, _, height, width = images.shape
    rows, columns = -(-height // patch), -(-width // patch)
    seen = (torch.rand(count, 1, rows, columns, generator=source) >= share).to(images)
    return images * seen.repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)[..., :height, :width]


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def shrink(images: Tensor, size: int) -> Tensor:
    """Images [batch, 3, side, side] at a smaller side, without aliasing."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)
