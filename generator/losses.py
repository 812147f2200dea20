"""Losses of the two networks, per image (paper 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from generator.discriminator import Discriminator


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss [batch] (paper Eq. 3)."""
    return functional.softplus(-fake_logits)  # -log(sigmoid(logits))


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss [batch] (paper Eq. 4)."""
    return functional.softplus(-real_logits) + functional.softplus(fake_logits)


def gradient_penalty(discriminator: Discriminator, real: Tensor) -> Tensor:
    """|grad D(x)|^2 [batch] on real images [batch, 3, size, size] (paper Eq. 5, Mescheder et al. 2018), in float32."""
    real = real.detach().requires_grad_(True)
    with torch.autocast(real.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))
