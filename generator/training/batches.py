"""Real images for training, with random crops and flips. Batch t depends on (seed, t) alone."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from generator.config import DataConfig, GeneratorConfig
from kpdetect.training.prefetch import prepared
from kpdetect.training.runtime import Runtime
from kpdetect.training.seeds import derived_generator

OVERSIZE = 1.25
"""Factor from the side of training images to the side of cached images, so that a random crop loses no detail."""


CPU = Runtime(device=torch.device("cpu"), compute=torch.float32)
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey image (ITU-R BT.601)."""

QUARTER_TURNS = torch.tensor([[[1.0, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]])
"""Rotations by 0, 90, 180 and 270 degrees."""


def cached_side(size: int) -> int:
    """Return the side of the cached images in pixels, for a size of training images."""
    return round(size * OVERSIZE)


class RealBatches:
    """Endless shuffled batches of augmented images, cropped on the runtime's device.

    With several processes, each process gets its share of every batch.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        size: int,
        batch: int,
        config: DataConfig,
        seed: int,
        channels: int = 3,
        runtime: Runtime = CPU,
        *,
        turned: bool = False,
    ) -> None:
        self.rank, self.world, self.device = runtime.rank, runtime.world, runtime.device
        self.images, self.size, self.batch, self.config, self.seed = images, size, batch, config, seed
        self.channels, self.turned = channels, turned
        self.orders: dict[int, Tensor] = {}
        self.next_step = 0
        self.stream: Generator[Tensor, None, None] | None = None

    @classmethod
    def of(cls, images: NDArray[np.uint8], config: GeneratorConfig, runtime: Runtime) -> RealBatches:
        """Make the batches of a training run from its configuration."""
        model, batch, turned = config.model, config.optimiser.batch, config.model.orientation == "any"
        return cls(images, model.size, batch, config.data, config.seed, model.channels, runtime, turned=turned)

    def take(self, step: int) -> Tensor:
        """Return the same batch as `at`, and start a thread that prepares the next batch."""
        if self.stream is None or step != self.next_step:
            self.close()
            self.stream = prepared(self.at, step, ahead=1, workers=1)
        self.next_step = step + 1
        return next(self.stream)

    def close(self) -> None:
        """End the thread that prepares batches."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def at(self, step: int) -> Tensor:
        """Load the batch of a step: float32 [batch, channels, size, size] in [-1, 1], on the device."""
        chosen = self._indices(step)
        pixels = torch.from_numpy(np.stack([self.images[index] for index in chosen])).to(self.device)
        images = pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        if self.channels == 1:
            images = (images * torch.tensor(LUMA, device=self.device)[:, None, None]).sum(dim=1, keepdim=True)
        crops = self._crops(step).to(self.device)
        grid = functional.affine_grid(crops, [len(chosen), 3, self.size, self.size], align_corners=False)
        return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _indices(self, step: int) -> list[int]:
        count = len(self.images)
        positions = range(step * self.batch + self.rank, (step + 1) * self.batch, self.world)
        return [int(self._order(position // count)[position % count]) for position in positions]

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self.orders:
            source = derived_generator(self.seed, "order", epoch)
            self.orders = {epoch: torch.randperm(len(self.images), generator=source)}
        return self.orders[epoch]

    def _crops(self, step: int) -> Tensor:
        """Draw affine maps [batch, 2, 3] from the training square to the cached one, in normalised coordinates."""
        source = derived_generator(self.seed, "crop", step)
        draws = torch.rand(self.batch, 4, generator=source)[self.rank :: self.world]
        share = self.config.crop_share + (1 - self.config.crop_share) * draws[:, 0]
        mirror = torch.where((draws[:, 3] < 0.5) & self.config.flip, -1.0, 1.0)
        maps = torch.zeros(len(draws), 2, 3)
        maps[:, 0, 0], maps[:, 1, 1] = share * mirror, share
        maps[:, :, 2] = (2 * draws[:, 1:3] - 1) * (1 - share)[:, None]
        if self.turned:
            maps[:, :, :2] = maps[:, :, :2] @ self._quarter_turns(step)
        return maps

    def _quarter_turns(self, step: int) -> Tensor:
        """Draw rotations [batch, 2, 2] by multiples of 90 degrees, which need no pixels from outside of an image."""
        source = derived_generator(self.seed, "turn", step)
        return QUARTER_TURNS[torch.randint(4, (self.batch,), generator=source)[self.rank :: self.world]]
