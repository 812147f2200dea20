"""Convert keypoints to heatmaps on pixel grids, and heatmaps to keypoints.

All values are float32 or float64, because bfloat16 near 1 is only precise to a whole pixel of a 512-pixel image.
The generator's Gaussian is that of the LatentKeypointGAN paper, Eq. 2: `H(p) = exp(-|p - k|^2 / tau)`, with tau in squared
normalised units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kpdetect.coords import Size


def grid_axis(length: int, margin: int = 0, *, like: Tensor | None = None) -> Tensor:
    """Compute the normalised centres [length + 2 * margin] of a row of pixels: `length` pixels, and `margin` more at each end.

    The result is on the device of `like`. Its type is float64 if `like` is float64, else float32.
    """
    device = None if like is None else like.device
    index = torch.arange(-margin, length + margin, dtype=_wide(like), device=device)
    return (2 * index + 1) / length - 1


def _wide(like: Tensor | None) -> torch.dtype:
    return torch.float32 if like is None else torch.promote_types(like.dtype, torch.float32)


def gaussian_axes(keypoints: Tensor, size: Size, tau: float, margin: int = 0) -> tuple[Tensor, Tensor]:
    """Compute the two factors of every Gaussian heatmap: `H[k, y, x] = along_y[k, y] * along_x[k, x]`.

    Args:
        keypoints: [batch, keypoints, 2], normalised.
        size: (height, width) of the grid without its margin.
        tau: squared width of the Gaussian, 2 * sigma^2, in squared normalised units.
        margin: pixels added on every side.

    Returns:
        along_y [batch, keypoints, height + 2 margin], along_x [batch, keypoints, width + 2 margin], float32.
    """
    keypoints = keypoints.to(_wide(keypoints))
    axis_y = grid_axis(size[0], margin, like=keypoints)
    axis_x = grid_axis(size[1], margin, like=keypoints)
    return _gaussian(axis_y - keypoints[..., 1:2], tau), _gaussian(axis_x - keypoints[..., 0:1], tau)


def _gaussian(distance: Tensor, tau: float) -> Tensor:
    """Compute exp(-d^2 / tau). Values below 1e-15 become 0, because products of them would be denormal and slow on a CPU."""
    values = torch.exp(-(distance**2) / tau)
    return values * (values > 1e-15)


def gaussian_heatmaps(keypoints: Tensor, size: Size, tau: float, margin: int = 0) -> Tensor:
    """Compute heatmaps [batch, keypoints, height, width] with peak 1 at the keypoints (normalised [batch, keypoints, 2])."""
    along_y, along_x = gaussian_axes(keypoints, size, tau, margin)
    return along_y[..., :, None] * along_x[..., None, :]


def soft_argmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the expected position under the softmax of heatmap logits.

    Args:
        logits: [batch, keypoints, height, width].

    Returns:
        keypoints [batch, keypoints, 2], normalised float32, and the probabilities [batch, keypoints, height, width].
    """
    batch, count, height, width = logits.shape
    probabilities = logits.float().flatten(2).softmax(dim=-1).view(batch, count, height, width)
    x = (probabilities.sum(dim=2) * grid_axis(width, like=probabilities)).sum(dim=-1)
    y = (probabilities.sum(dim=3) * grid_axis(height, like=probabilities)).sum(dim=-1)
    return torch.stack([x, y], dim=-1), probabilities
