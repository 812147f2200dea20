"""Losses per pair and keypoint. The trainer weights and averages them."""

from __future__ import annotations

import torch
from torch import Tensor

from kpdetect.heatmaps import gaussian_heatmaps


def coordinate_distance(predicted: Tensor, keypoints: Tensor) -> Tensor:
    """Compute the Euclidean distance [batch, keypoints] between two sets [batch, keypoints, 2], in normalised units."""
    return torch.linalg.vector_norm(predicted - keypoints, dim=-1)


def heatmap_cross_entropy(logits: Tensor, keypoints: Tensor, sigma: float) -> Tensor:
    """Compute the excess cross-entropy [batch, keypoints] of the heatmap with respect to a target Gaussian.

    This is the Kullback-Leibler divergence, in nats.

    Args:
        logits: [batch, keypoints, height, width].
        keypoints: [batch, keypoints, 2], normalised.
        sigma: standard deviation of the Gaussian in normalised units.
    """
    target = gaussian_heatmaps(keypoints, (logits.shape[2], logits.shape[3]), tau=2 * sigma**2).flatten(2)
    target = target / target.sum(dim=-1, keepdim=True).clamp_min(1e-12)
    predicted = logits.float().flatten(2).log_softmax(dim=-1)
    return (torch.xlogy(target, target) - target * predicted).sum(dim=-1)


def keypoint_weights(keypoints: Tensor, visible: Tensor, hidden: float) -> Tensor:
    """Compute the weight [batch, keypoints] of each keypoint: 1 if visible, `hidden` if hidden, 0 outside the image."""
    inside = (keypoints.abs() <= 1).all(dim=-1)
    return torch.where(visible, 1.0, hidden) * inside
