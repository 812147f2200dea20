"""The whole generator: noises, parts, foreground, background, blend."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from generator.background import Background
from generator.config import ModelConfig
from generator.keypoints import KeypointGenerator, Parts
from generator.latents import Latents
from generator.synthesis import Foreground


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A generated batch and what it was put together from.

    Attributes:
        image: [batch, 3, size, size] in (-1, 1).
        keypoints: [batch, keypoints, 2], normalised.
        mask: [batch, 1, size, size] in (0, 1); 1 is foreground.
        foreground: [batch, 3, size, size].
        background: [batch, 3, size, size].
    """

    image: Tensor
    keypoints: Tensor
    mask: Tensor
    foreground: Tensor
    background: Tensor


class Generator(nn.Module):
    """LatentKeypointGAN-tuned (paper appendix B); the blend is in image space."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.parts = KeypointGenerator(config)
        self.foreground = Foreground(config)
        self.background = Background(config)

    def draw(self, parts: Parts) -> Drawing:
        """Draw given parts: the way in for editing."""
        colours, logits = self.foreground(parts.keypoints, parts.embeddings)
        behind = self.background(parts.centre, parts.background)
        mask = logits.sigmoid()
        image = behind + mask * (colours - behind)
        return Drawing(image=image, keypoints=parts.keypoints, mask=mask, foreground=colours, background=behind)

    def forward(self, latents: Latents) -> Drawing:
        """Draw a batch from noise."""
        return self.draw(self.parts(latents))
