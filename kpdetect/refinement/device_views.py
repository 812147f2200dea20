"""Views that are rendered and recoloured on the device of the networks. Images and warps are the same as in `ViewBatches`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import count

import numpy as np
import torch
from torch import Tensor

from kpdetect.data.augment import AugmentConfig
from kpdetect.data.batch_pixels import change_pixels, draw_pixel_changes
from kpdetect.data.device_images import Arrays, chunks, copied_ahead, fits, kept_on
from kpdetect.refinement.views import ViewBatches, Views


class DeviceViews:
    """An endless sequence of batches of views on a device.

    Args:
        batches: the images, and the settings of their views.
        device: the device that makes the views.
    """

    def __init__(self, batches: ViewBatches, device: torch.device) -> None:
        self.batches, self.device, config = batches, device, batches.config
        self.changes = AugmentConfig(photometric=config.photometric, occlusion=config.occlusion)
        self.pool: Tensor | None = None

    def ahead(self, step: int, workers: int = 1) -> Generator[Views, None, None]:
        """Yield the batches from `step` on. Close the iterator to end its threads."""
        images = self._images(step, workers)
        try:
            for number, (levels,) in enumerate(images, step):
                yield self._views(number, levels)
        finally:
            if isinstance(images, Generator):
                images.close()

    def _images(self, step: int, workers: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield the images uint8 [batch, 3, side, side] of each step from `step` on, on the device."""
        if fits(self.batches.images.nbytes, self.device):
            return ((self._gathered(number),) for number in count(step))
        return copied_ahead(self._read, step, self.device, workers=workers)

    def _read(self, step: int) -> Arrays:
        chosen, _ = self.batches.drawn(step)
        return (np.stack([self.batches.images[index] for index in chosen]).transpose(0, 3, 1, 2),)

    def _gathered(self, step: int) -> Tensor:
        if self.pool is None:
            self.pool = kept_on(chunks(self.batches.images), len(self.batches.images), self.device)
        return self.pool[torch.tensor(self.batches.drawn(step)[0], device=self.device)]

    def _views(self, step: int, levels: Tensor) -> Views:
        config = self.batches.config
        images = levels.float().div_(127.5).sub_(1)
        warps = [warp.to(self.device) for warp in self.batches.drawn(step)[1]]
        first, second = (warp.views(images, (config.side, config.side)) for warp in warps)
        student = self._recoloured(second, self.batches.seed(step))
        return Views(first=first, second=second, student=student, warp_first=warps[0], warp_second=warps[1])

    def _recoloured(self, views: Tensor, seed: int) -> Tensor:
        source = torch.Generator(self.device)
        source.manual_seed(seed)
        height, width = views.shape[2:]
        draws = draw_pixel_changes(self.changes, len(views), (height, width), source)
        levels = ((views + 1) * 127.5).round().clamp(0, 255)
        return change_pixels(levels, draws, source).div_(127.5).sub_(1)
