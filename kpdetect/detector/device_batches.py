"""Batches of image-keypoint pairs that are augmented on the device of the networks.

The batches of several steps are augmented together as a block, so that a GPU runs fewer and larger operations. A block depends
only on the seed and its number, so a continued run equals an uninterrupted one. A place is the position of a pair in the
endless sequence of training pairs, as in `Batches`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator
from itertools import count

import numpy as np
import torch
from torch import Tensor

from kpdetect.data.batch_augment import vary_pairs
from kpdetect.data.device_images import CHUNK, Arrays, copied_ahead, fits, kept_on
from kpdetect.detector.batches import BLOCK, Batches, LiveBatches, PairBatches, TrainingPairs
from kpdetect.pairs import TensorSource
from kpdetect.training.seeds import derived_seed

MOST_STEPS = 8
"""Largest number of steps whose batches are augmented together."""
MOST_PIXELS = 1 << 22
"""Largest number of pixels that are augmented together. A single step may have more."""
Raw = tuple[Tensor, ...]
"""Images uint8 [count, 3, height, width], keypoints float32 [count, K, 2] and visible bool [count, K], on the device."""


class DeviceBatches:
    """An endless sequence of augmented batches on a device.

    Args:
        batches: the pairs, their order, and the settings of their augmentation.
        device: the device that augments the pairs.

    Attributes:
        steps: number of steps in a block.
    """

    def __init__(self, batches: Batches, device: torch.device) -> None:
        self.batches, self.device = batches, device
        height, width = batches.size
        self.steps = max(1, min(MOST_STEPS, MOST_PIXELS // (batches.batch * height * width)))
        self.pool: Raw | None = None
        self.drawn: OrderedDict[int, Raw] = OrderedDict()

    def ahead(self, step: int, workers: int = 1) -> Generator[TrainingPairs, None, None]:
        """Yield the batches from `step` on. Close the iterator to end its threads."""
        first, skipped = divmod(step, self.steps)
        blocks = self._blocks(first, workers)
        try:
            for number, (images, keypoints, visible) in enumerate(blocks, first):
                source = torch.Generator(self.device)
                source.manual_seed(derived_seed(self.batches.seed, "vary", number, self.batches.rank))
                varied, moved = vary_pairs(images, keypoints, self.batches.augmenter.config, source)
                parts = zip(*(part.chunk(self.steps) for part in (varied, moved, visible)), strict=True)
                for place, (one, points, seen) in enumerate(parts):
                    if number > first or place >= skipped:
                        yield TrainingPairs(images=one, keypoints=points, visible=seen)
        finally:
            if isinstance(blocks, Generator):
                blocks.close()

    def _blocks(self, first: int, workers: int) -> Iterator[Raw]:
        """Yield blocks before augmentation, from number `first` on. Choose the fastest way to bring them to the device."""
        if isinstance(self.batches, PairBatches) and fits(self.batches.image_bytes, self.device):
            return (self._gathered(number) for number in count(first))
        if isinstance(self.batches, LiveBatches) and isinstance(self.batches.source, TensorSource):
            return (self._drawn(number) for number in count(first))
        return copied_ahead(self._read, first, self.device, workers=workers)

    def _places(self, number: int) -> range:
        """List the places of the pairs of a block that belong to this process."""
        size, batches = self.steps * self.batches.batch, self.batches
        return range(number * size + batches.rank, (number + 1) * size, batches.world)

    def _read(self, number: int) -> Arrays:
        """Read a block into memory."""
        with self.batches.taking:
            pairs = [self.batches.pair(place) for place in self._places(number)]
        images, keypoints, visible = (np.stack(part) for part in zip(*pairs, strict=True))
        return images.transpose(0, 3, 1, 2), keypoints, visible

    def _gathered(self, number: int) -> Raw:
        """Select a block from pairs that are kept on the device."""
        batches = self.batches
        assert isinstance(batches, PairBatches)
        if self.pool is None:
            self.pool = _kept(batches, self.device)
        index = torch.tensor([batches.index(place) for place in self._places(number)], device=self.device)
        return tuple(part[index] for part in self.pool)

    def _drawn(self, number: int) -> Raw:
        """Draw a block on the device with the source of the pairs."""
        batches = self.batches
        assert isinstance(batches, LiveBatches)
        assert isinstance(batches.source, TensorSource)
        rows = [batches.drawn_place(place) for place in self._places(number)]
        for block, _ in rows:
            if block not in self.drawn:
                self.drawn[block] = batches.source.tensors(block * BLOCK, (block + 1) * BLOCK)
        blocks = sorted({block for block, _ in rows})
        start = {block: BLOCK * place for place, block in enumerate(blocks)}
        index = torch.tensor([start[block] + row for block, row in rows], device=self.device)
        found = tuple(torch.cat(parts)[index] for parts in zip(*(self.drawn[block] for block in blocks), strict=True))
        while len(self.drawn) > 1:  # the last one may go on in the next block
            self.drawn.popitem(last=False)
        return found


def _kept(batches: PairBatches, device: torch.device) -> Raw:
    """Load all pairs of a folder onto a device."""
    folder, keypoints, visible = batches.folder, [], []

    def images() -> Iterator[np.ndarray]:
        for first in range(0, len(folder), CHUNK):
            part = folder.batch(range(first, min(first + CHUNK, len(folder))))
            keypoints.append(part.keypoints)
            visible.append(part.visible)
            yield part.images

    kept = kept_on(images(), len(folder), device)
    return kept, *(torch.from_numpy(np.concatenate(parts)).to(device) for parts in (keypoints, visible))
