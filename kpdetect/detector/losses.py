"""Losses of single keypoints. The trainer computes their weighted mean over all keypoints of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from kpdetect.heatmaps import gaussian_heatmaps


def coordinate_distance(predicted: Tensor, keypoints: Tensor) -> Tensor:
    """Compute the Euclidean distance [batch, keypoints] between predicted and true keypoints, in normalised units."""
    return torch.linalg.vector_norm(predicted - keypoints, dim=-1)


def heatmap_cross_entropy(logits: Tensor, keypoints: Tensor, sigma: float) -> Tensor:
    """Compute the Kullback-Leibler divergence [batch, keypoints] of each heatmap from a target Gaussian, in nats.

    This is the cross-entropy minus the entropy of the target.

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


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Compute the weighted mean of values [batch, keypoints]. Return 0 if all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)
