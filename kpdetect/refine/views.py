"""Two warped views of every real image, and one of them recoloured; batch t follows from (seed, t) alone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kpdetect.data.augment import AugmentConfig, PixelChanges
from kpdetect.prefetch import prepared
from kpdetect.refine.config import RefineConfig
from kpdetect.refine.warps import Warps, draw_warps
from kpdetect.seeds import derived_generator, derived_seed

AHEAD = 3
"""Batches prepared in advance."""


@dataclass(frozen=True, kw_only=True)
class Views:
    """One batch; images are float32 [batch, 3, size, size] in [-1, 1].

    Attributes:
        first: a view of each image.
        second: another view of it.
        student: the second view with colours, sharpness and noise changed, and patches covered.
        warp_first, warp_second: from either view to the image.
    """

    first: Tensor
    second: Tensor
    student: Tensor
    warp_first: Warps
    warp_second: Warps

    def to(self, device: torch.device) -> Views:
        """The same batch on a device."""
        return Views(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


class ViewBatches:
    """Endless batches of views.

    Args:
        images: uint8 [count, side, side, 3].
        config: how to vary them.
    """

    def __init__(self, images: NDArray[np.uint8], config: RefineConfig) -> None:
        self.images, self.config = images, config
        self.pixels = PixelChanges(AugmentConfig(photometric=config.photometric, occlusion=config.occlusion))

    def at(self, step: int) -> Views:
        """Batch of a step."""
        config, batch = self.config, self.config.batch
        source = derived_generator(config.seed, "views", step)
        chosen = torch.randint(len(self.images), (batch,), generator=source).tolist()
        images = as_images(np.stack([self.images[index] for index in chosen]))
        mirrored = (torch.rand(batch, generator=source) < 0.5) & config.flip
        zoom = config.warp.zoom ** torch.rand(batch, generator=source)
        warps = [draw_warps(config.warp, batch, source, mirrored=mirrored, zoom=zoom) for _ in range(2)]
        first, second = (warp.views(images, (config.side, config.side)) for warp in warps)
        student = self._recoloured(second, derived_seed(config.seed, "colours", step))
        return Views(first=first, second=second, student=student, warp_first=warps[0], warp_second=warps[1])

    def _recoloured(self, views: Tensor, seed: int) -> Tensor:
        pixels = ((views + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        return as_images(np.stack(self.pixels(pixels, seed)))

    def ahead(self, step: int, workers: int = 1) -> Generator[Views, None, None]:
        """Batches from `step` on, prepared by threads; close the iterator to end them."""
        return prepared(self.at, step, ahead=AHEAD, workers=workers)


def as_images(pixels: NDArray[np.uint8]) -> Tensor:
    """Uint8 [batch, height, width, 3] as float32 [batch, 3, height, width] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float().div_(127.5).sub_(1)
