"""Losses per pair and keypoint; the trainer weighs and averages them."""

from __future__ import annotations

import torch
from torch import Tensor

from kpdetect.heatmaps import gaussian_heatmaps


def coordinate_distance(predicted: Tensor, keypoints: Tensor) -> Tensor:
    """Euclidean distance [batch, keypoints] in normalised units between two sets [batch, keypoints, 2]."""
    return torch.linalg.vector_norm(predicted - keypoints, dim=-1)


def heatmap_cross_entropy(logits: Tensor, keypoints: Tensor, sigma: float) -> Tensor:
    """Excess cross-entropy (Kullback-Leibler divergence, nats) [batch, keypoints] from the target Gaussian to the heatmap.

    Args:
        logits: [batch, keypoints, height, width].
        keypoints: [batch, keypoints, 2], normalised.
        sigma: standard deviation of the Gaussian in normalised units.
    """
    target = gaussian_heatmaps(keypoints, (logits.shape[2], logits.shape[3]), tau=2 * sigma**2).flatten(2)
    target = target / target.sum(dim=-1, keepdim=True).clamp_min(1e-12)
    found = logits.float().flatten(2).log_softmax(dim=-1)
    return (torch.xlogy(target, target) - target * found).sum(dim=-1)


def keypoint_weights(keypoints: Tensor, visible: Tensor, hidden: float) -> Tensor:
    """Weight [batch, keypoints] of each keypoint: 1 if visible, `hidden` if not, 0 outside the frame."""
    inside = (keypoints.abs() <= 1).all(dim=-1)
    return torch.where(visible, 1.0, hidden) * inside
