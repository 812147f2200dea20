"""Augmented batches of image-keypoint pairs, read from folders of shards or drawn during the training.

Batch t depends only on the seed and t. While a batch is used, the next ones are prepared.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kpdetect.coords import Size
from kpdetect.data.augment import AugmentConfig, PairAugmenter
from kpdetect.data.dataset import ShardShuffle
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.images.arrays import Image
from kpdetect.pairs import PairBatch, PairSource
from kpdetect.training.prefetch import prepared
from kpdetect.training.seeds import derived_seed

RAM_LIMIT = 2 * 2**30
"""Largest number of bytes of decoded pairs that are kept in memory."""
AHEAD = 4
"""Number of batches prepared in advance."""
BLOCK = 64
"""Number of pairs that a source draws at once."""
HELD_OUT_VARIED = 1024
"""Largest number of held-out pairs on which the confidence is calibrated."""
HELD_OUT_LIVE = 1024
"""Number of pairs of a source that are held out."""
Pair = tuple[Image, NDArray[np.float32], NDArray[np.bool_]]
"""Image uint8 [height, width, 3], keypoints [K, 2] (normalised), visible [K]."""


@dataclass(frozen=True, kw_only=True)
class TrainingPairs:
    """One batch of image-keypoint pairs, as tensors.

    Attributes:
        images: float32 [batch, 3, height, width] in [-1, 1].
        keypoints: float32 [batch, K, 2], normalised.
        visible: bool [batch, K].
    """

    images: Tensor
    keypoints: Tensor
    visible: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors `images`, `keypoints` and `visible`."""
        return self.images, self.keypoints, self.visible

    @classmethod
    def of(cls, tensors: Sequence[Tensor]) -> TrainingPairs:
        """Make a batch from images, keypoints and visible."""
        images, keypoints, visible = tensors
        return cls(images=images, keypoints=keypoints, visible=visible)

    def to(self, device: torch.device) -> TrainingPairs:
        """Move the batch to a device."""
        return TrainingPairs(
            images=self.images.to(device), keypoints=self.keypoints.to(device), visible=self.visible.to(device)
        )


def as_tensors(batch: PairBatch) -> TrainingPairs:
    """Convert a batch of pairs to tensors for the network."""
    pixels = torch.from_numpy(np.ascontiguousarray(batch.images.transpose(0, 3, 1, 2)))
    return TrainingPairs(
        images=pixels.float().div_(127.5).sub_(1),
        keypoints=torch.from_numpy(batch.keypoints),
        visible=torch.from_numpy(batch.visible),
    )


class Batches(ABC):
    """An endless sequence of augmented batches, and held-out pairs. Subclasses read or draw the pairs.

    Args:
        batch: number of pairs per batch.
        augment: settings of the augmentation.
        seed: random seed. A batch depends only on the seed and its step.
    """

    rank, world = 0, 1
    """Number of this process, and number of processes. A process prepares every `world`-th pair of a batch, from `rank` on."""

    def __init__(self, batch: int, augment: AugmentConfig, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self.augmenter = PairAugmenter(augment)
        self.taking = threading.Lock()

    @abstractmethod
    def pair(self, place: int) -> Pair:
        """Return the pair at position `place` of the endless sequence of training pairs, without augmentation."""

    @property
    @abstractmethod
    def size(self) -> Size:
        """(height, width) of the images."""

    @abstractmethod
    def held_out_pairs(self, limit: int) -> PairBatch:
        """Return at most `limit` held-out pairs."""

    def held_out(self, limit: int = 512) -> TrainingPairs:
        """Return at most `limit` held-out pairs, without augmentation."""
        return as_tensors(self.held_out_pairs(limit))

    def held_out_varied(self, limit: int = HELD_OUT_VARIED) -> TrainingPairs:
        """Return at most `limit` held-out pairs, with the augmentation of the training."""
        chosen = self.held_out_pairs(limit)
        pairs = zip(chosen.images, chosen.keypoints, chosen.visible, strict=True)
        return self._varied(pairs, [derived_seed(self.seed, "held out", number) for number in range(len(chosen))])

    def at(self, step: int) -> TrainingPairs:
        """Return the batch of a step."""
        places = range(step * self.batch + self.rank, (step + 1) * self.batch, self.world)
        seeds = [derived_seed(self.seed, "augment", place) for place in places]
        with self.taking:  # several threads prepare batches
            pairs = [self.pair(place) for place in places]
        return self._varied(pairs, seeds)

    def _varied(self, pairs: Iterable[Pair], seeds: list[int]) -> TrainingPairs:
        images, keypoints, visible = [], [], []
        for (image, points, seen), seed in zip(pairs, seeds, strict=True):
            varied, moved = self.augmenter(image, points, seed)
            images.append(varied)
            keypoints.append(moved)
            visible.append(seen)
        return as_tensors(PairBatch(images=np.stack(images), keypoints=np.stack(keypoints), visible=np.stack(visible)))

    def ahead(self, step: int, workers: int = 1) -> Generator[TrainingPairs, None, None]:
        """Yield the batches from `step` on, prepared by threads. Close the iterator to end the threads."""
        return prepared(self.at, step, ahead=AHEAD, workers=workers)


class PairBatches(Batches):
    """Augmented batches of the pairs in a folder of shards.

    Args:
        folder: folder of shards.
        batch: number of pairs per batch.
        held_out: share of the pairs that is held out. Every n-th pair is held out, with n = 1 / `held_out`, rounded.
        augment: settings of the augmentation.
        seed: random seed. A batch depends only on the seed and its step.
        memory: number of bytes. If all decoded pairs need less, they are kept in memory.
    """

    def __init__(
        self,
        folder: ShardFolder,
        batch: int,
        held_out: float,
        augment: AugmentConfig,
        seed: int,
        *,
        memory: int = RAM_LIMIT,
    ) -> None:
        super().__init__(batch, augment, seed)
        self.folder, self.every = folder, round(1 / held_out)
        height, width = folder.facts.size
        self.kept = folder.read_all() if len(folder) * height * width * 3 < memory else None
        self.shuffle = ShardShuffle(folder.lengths, seed)
        self.orders: dict[int, NDArray[np.int64]] = {}
        self.count = len(folder) - len(self.held_out_indices)

    @property
    def held_out_indices(self) -> NDArray[np.int64]:
        """The numbers of the held-out pairs in the folder."""
        return np.arange(0, len(self.folder), self.every)

    def held_out_pairs(self, limit: int) -> PairBatch:
        """Return the first `limit` held-out pairs."""
        return self.folder.batch(int(index) for index in self.held_out_indices[:limit])

    def pair(self, place: int) -> Pair:
        """Return the pair at `place`. With n training pairs, it is pair number `place` mod n of epoch `place` // n."""
        index = self.index(place)
        if self.kept is not None:
            return self.kept.images[index], self.kept.keypoints[index], self.kept.visible[index]
        return self.folder.read(index)

    def index(self, place: int) -> int:
        """Return the number that the pair at position `place` of the training sequence has in the folder."""
        epoch, position = divmod(place, self.count)
        return int(self._order(epoch)[position])

    @property
    def size(self) -> Size:
        """(height, width) of the images."""
        return self.folder.facts.size

    @property
    def image_bytes(self) -> int:
        """Number of bytes of all images when decoded."""
        height, width = self.size
        return len(self.folder) * height * width * 3

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self.orders:
            self.shuffle.resume(epoch, 0)
            order = self.shuffle.order()
            self.orders = {epoch: order[order % self.every != 0]}
        return self.orders[epoch]


class LiveBatches(Batches):
    """Augmented batches of pairs that are drawn during the training. Each pair is used once.

    Several processes take turns in whole blocks of pairs, so each process draws only the pairs that it uses.

    Args:
        source: source of the pairs. Its first `HELD_OUT_LIVE` pairs are held out.
        batch: number of pairs per batch.
        augment: settings of the augmentation.
        seed: random seed of the augmentation.
    """

    def __init__(self, source: PairSource, batch: int, augment: AugmentConfig, seed: int) -> None:
        super().__init__(batch, augment, seed)
        self.source = source
        self.blocks: OrderedDict[int, PairBatch] = OrderedDict()
        self.most_blocks = 2  # a batch may need two blocks

    def ahead(self, step: int, workers: int = 1) -> Generator[TrainingPairs, None, None]:
        """Yield batches from `step` on, as `Batches.ahead` does. Threads request blocks in any order; none is drawn twice."""
        self.most_blocks = 2 + workers
        return super().ahead(step, workers)

    def held_out_pairs(self, limit: int) -> PairBatch:
        """Return the first pairs of the source."""
        count = min(limit, HELD_OUT_LIVE)
        parts = list(self.source.batches(0, count))
        return PairBatch(
            images=np.concatenate([part.images for part in parts]),
            keypoints=np.concatenate([part.keypoints for part in parts]),
            visible=np.concatenate([part.visible for part in parts]),
        )

    def pair(self, place: int) -> Pair:
        """Return the pair at position `place` of the training sequence. In one process, it is pair HELD_OUT_LIVE + `place`."""
        number, row = self.drawn_place(place)
        if number not in self.blocks:
            (self.blocks[number],) = self.source.batches(number * BLOCK, (number + 1) * BLOCK)
            while len(self.blocks) > self.most_blocks:
                self.blocks.popitem(last=False)
        block = self.blocks[number]
        return block.images[row], block.keypoints[row], block.visible[row]

    @property
    def size(self) -> Size:
        """(height, width) of the images."""
        return self.source.size

    def drawn_place(self, place: int) -> tuple[int, int]:
        """Return the block of the source that holds the pair at position `place`, and the pair's row in the block."""
        turn, rank = divmod(place, self.world)  # place mod world is the rank of this process
        number, row = divmod(turn, BLOCK)
        number = HELD_OUT_LIVE // BLOCK + number * self.world + rank
        return number, row
