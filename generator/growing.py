"""Progressive growing: the image size and its fade-in weight at each point of training.

Source: the LatentKeypointGAN paper (He et al. 2021), appendix E and fig. 12.

Training begins with small images. After each doubling of the size there are two periods. In the adapting period, the new size
is faded in and the keypoint generator does not learn. In the second period, all networks learn at the new size. The schedule
depends only on the number of training images so far.
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
        size: side of the drawn images in pixels.
        alpha: weight of the image at this size, in [0, 1]; the enlarged image of half the size has the weight 1 - alpha. 1
            outside of adapting periods.
    """

    size: int
    alpha: float = 1.0

    @property
    def adapting(self) -> bool:
        """Whether the size is being faded in."""
        return self.alpha < 1


def stage_at(images: int, model: ModelConfig, growth: GrowthConfig) -> Stage:
    """Return the stage after a number of training images; a model that is not progressive is always at its full size."""
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
    """Reduce real images [batch, channels, size, size] to a stage's size.

    In adapting periods, the result is a blend with the enlarged images of half that size.
    """
    if images.shape[-1] != stage.size:
        images = functional.avg_pool2d(images, images.shape[-1] // stage.size)
    return faded(images, functional.avg_pool2d(images, 2), stage) if stage.adapting else images


def faded(large: Tensor, small: Tensor, stage: Stage) -> Tensor:
    """Blend `large` [.., size, size] with `small` [.., size / 2, size / 2], which is enlarged; `large` has the weight alpha."""
    return stage.alpha * large + (1 - stage.alpha) * functional.interpolate(small, scale_factor=2, mode="nearest")
