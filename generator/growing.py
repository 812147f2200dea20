"""Progressive growing (paper appendix E, fig. 12): the image size and its fade-in weight at each point of training.

The networks begin with small images. Each doubling has an adapting period, in which the new size is faded in and the keypoint
generator rests, and a non-adapting one. The schedule depends only on the number of images seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from generator.config import GrowthConfig, ModelConfig


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The image size and fade-in weight at one point of training.

    Attributes:
        size: side of the images that are drawn.
        alpha: weight of that size against half of it, enlarged; 1 outside of adapting periods.
    """

    size: int
    alpha: float = 1.0

    @property
    def adapting(self) -> bool:
        """Whether the size is being faded in."""
        return self.alpha < 1


def stage_at(images: int, model: ModelConfig, growth: GrowthConfig) -> Stage:
    """Return the stage after a number of images; models that are not progressive have only the last stage."""
    if not model.progressive:
        return Stage(size=model.size)
    size, left = model.image_sizes[0], images - growth.images_stable
    while left >= 0 and size < model.size:
        size *= 2
        if left < growth.images_adapting:
            return Stage(size=size, alpha=left / growth.images_adapting)
        left -= growth.images_adapting + growth.images_stable
    return Stage(size=size)


def seen_at(images: Tensor, stage: Stage) -> Tensor:
    """Reduce real images [batch, channels, size, size] to a stage's size; in adapting periods, blend them with their half-size
    version."""
    if images.shape[-1] != stage.size:
        images = functional.avg_pool2d(images, images.shape[-1] // stage.size)
    return faded(images, functional.avg_pool2d(images, 2), stage) if stage.adapting else images


def faded(large: Tensor, small: Tensor, stage: Stage) -> Tensor:
    """Blend `large` [.., size, size] with weight alpha, `small` [.., size / 2, size / 2], enlarged, with the rest."""
    return stage.alpha * large + (1 - stage.alpha) * functional.interpolate(small, scale_factor=2, mode="nearest")
