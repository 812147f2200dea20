"""The whole generator: it computes parts from noises, draws foreground and background, and blends them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from generator.config import ModelConfig
from generator.growing import Stage
from generator.heading import turn_images
from generator.keypoints import KeypointGenerator, Latents, Parts
from generator.layers import StyleMap
from generator.synthesis import Background, Foreground, foreground_mask


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A generated batch and its components.

    Attributes:
        image: [batch, channels, size, size] in (-1, 1).
        keypoints: [batch, keypoints, 2], normalised.
        embeddings: [batch, keypoints, embedding].
        mask: [batch, 1, size, size] in (0, 1); 1 is foreground. Without a separate background it is the nearest
            keypoint's heatmap.
        foreground: [batch, channels, size, size], or None without a separate background.
        background: [batch, channels, size, size], or None without a separate background.
    """

    image: Tensor
    keypoints: Tensor
    embeddings: Tensor
    mask: Tensor
    foreground: Tensor | None = None
    background: Tensor | None = None


class Generator(nn.Module):
    """LatentKeypointGAN (He et al. 2021, section 3 and appendix B). Foreground and background are blended as images.

    Objects with headings are drawn upright. Foreground, mask and keypoints are then turned together; this is not in the paper.

    Attributes:
        stage: image size and fade-in weight of `draw` by default; smaller than full size if a progressive model stopped early.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config, self.stage = config, Stage(size=config.size)
        self.parts = KeypointGenerator(config)
        self.foreground = Foreground(config)
        if config.separate_background:
            self.background = Background(config)

    def draw(self, parts: Parts, stage: Stage | None = None) -> Drawing:
        """Draw a batch from parts; editing uses this."""
        stage, config = stage or self.stage, self.config
        style = StyleMap(parts.upright(), config.tau, config.margin)
        colours, logits = self.foreground(style, stage)
        mask = foreground_mask(logits, style, config, stage.size)
        if not config.separate_background:
            return Drawing(image=colours, keypoints=parts.keypoints, embeddings=parts.embeddings, mask=mask)
        if parts.headings is not None:
            colours = turn_images(colours, parts.headings, "border")
            mask = turn_images(mask, parts.headings, "zeros")
        behind = self.background(parts.centre, parts.background)
        return Drawing(
            image=behind + mask * (colours - behind),
            keypoints=parts.keypoints,
            embeddings=parts.embeddings,
            mask=mask,
            foreground=colours,
            background=behind,
        )

    def forward(self, latents: Latents, stage: Stage | None = None) -> Drawing:
        """Draw a batch from noise."""
        return self.draw(self.parts(latents), stage)
