"""The losses of generator and discriminator, per image (LatentKeypointGAN, He et al. 2021, section 3.4 and appendix F)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Compute the non-saturating loss [batch] (paper Eq. 3)."""
    return functional.softplus(-fake_logits)  # -log(sigmoid(logits))


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute the logistic loss [batch] (paper Eq. 4)."""
    return functional.softplus(-real_logits) + functional.softplus(fake_logits)


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    """Compute the hinge loss [batch] of the generator (Miyato et al. 2018; an ablation, paper F.3)."""
    return -fake_logits


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute the hinge loss [batch] of the discriminator (Miyato et al. 2018; an ablation, paper F.3)."""
    return functional.relu(1 - real_logits) + functional.relu(1 + fake_logits)


ADVERSARIAL: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "logistic": (generator_loss, discriminator_loss),
    "hinge": (hinge_generator_loss, hinge_discriminator_loss),
}
"""The losses of generator and discriminator, by the name of the adversarial loss."""


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Compute |grad D(x)|^2 [batch] on real images [batch, 3, size, size] (paper Eq. 5, Mescheder et al. 2018), in float32."""
    real = real.detach().requires_grad_(True)
    with torch.autocast(real.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))


def background_loss(one: Tensor, two: Tensor, foreground: Tensor) -> Tensor:
    """Compute |(1 - H_bg) G(z1) - (1 - H_bg) G(z2)| [batch] (paper Eq. 6), mean over pixels and channels.

    Args:
        one, two: images [batch, channels, size, size] that differ only in their background noise.
        foreground: 1 - H_bg, the nearest keypoint's heatmap [batch, 1, size, size].
    """
    return ((one - two).float() * foreground).abs().mean(dim=(1, 2, 3))


def contrastive_loss(embeddings: Tensor, temperature: float) -> Tensor:
    """Compute the supervised contrastive loss of keypoint embeddings (paper Eq. 11, Khosla et al. 2020).

    The loss pulls embeddings [batch, keypoints, embedding] of the same keypoint together and pushes others apart.
    Embeddings are first scaled to unit length. The loss of an embedding is the mean over the other embeddings of its keypoint,
    as in L_out of Khosla et al. The result is the mean over all embeddings, in the shape [1].
    """
    batch, count, _ = embeddings.shape
    flat = functional.normalize(embeddings.float().flatten(0, 1), dim=1)
    names = torch.arange(count, device=flat.device).repeat(batch)
    diagonal = torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    likeness = (flat @ flat.T / temperature).masked_fill(diagonal, -torch.inf)
    chance = likeness - likeness.logsumexp(dim=1, keepdim=True)
    positive = (names[:, None] == names[None]) & ~diagonal
    return -(chance.masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1).clamp_min(1)).mean()[None]
