"""Terms of the loss that belong to this stage alone; the trainer weighs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def closeness(keypoints: Tensor, sigma: float) -> Tensor:
    """Sum over other keypoints of exp(-d^2 / 2 sigma^2), [batch, K], of keypoints [batch, K, 2]."""
    squared = ((keypoints[:, :, None] - keypoints[:, None]) ** 2).sum(dim=-1)
    near = torch.exp(-squared / (2 * sigma**2))
    return near.sum(dim=-1) - 1  # itself


@contextmanager
def fixed_statistics(network: nn.Module) -> Iterator[None]:
    """Batch normalisation uses the batch at hand and leaves its running statistics alone."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
