"""Augmented batches of pairs: batch t follows from (seed, t) alone; the next ones are prepared while one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kpdetect.data.augment import AugmentConfig, PairAugmenter
from kpdetect.data.dataset import ShardShuffle
from kpdetect.data.reader import ShardFolder
from kpdetect.images import Image
from kpdetect.pairs import PairBatch
from kpdetect.seeds import derived_seed

RAM_LIMIT = 2 * 2**30
"""Pairs that decode to fewer bytes than this are kept in memory."""
AHEAD = 4
"""Batches prepared in advance."""


@dataclass(frozen=True, kw_only=True)
class TrainingPairs:
    """One batch.

    Attributes:
        images: float32 [batch, 3, height, width] in [-1, 1].
        keypoints: float32 [batch, K, 2], normalised.
        visible: bool [batch, K].
    """

    images: Tensor
    keypoints: Tensor
    visible: Tensor

    def to(self, device: torch.device) -> TrainingPairs:
        """The same batch on a device."""
        return TrainingPairs(
            images=self.images.to(device), keypoints=self.keypoints.to(device), visible=self.visible.to(device)
        )


def as_tensors(batch: PairBatch) -> TrainingPairs:
    """A batch of pairs as the network takes it."""
    pixels = torch.from_numpy(np.ascontiguousarray(batch.images.transpose(0, 3, 1, 2)))
    return TrainingPairs(
        images=pixels.float().div_(127.5).sub_(1),
        keypoints=torch.from_numpy(batch.keypoints),
        visible=torch.from_numpy(batch.visible),
    )


class PairBatches:
    """Endless batches of the pairs that are trained on, and the held-out ones as they are.

    Args:
        folder: shards.
        batch: pairs per batch.
        held_out: share of the pairs that is held out: every n-th, so that it does not depend on how many there are.
        augment: how pairs are varied.
        seed: with the step, decides everything.
    """

    def __init__(self, folder: ShardFolder, batch: int, held_out: float, augment: AugmentConfig, seed: int) -> None:
        self.folder, self.batch, self.seed, self.every = folder, batch, seed, round(1 / held_out)
        self.augmenter = PairAugmenter(augment)
        height, width = folder.facts.size
        self.kept = folder.read_all() if len(folder) * height * width * 3 < RAM_LIMIT else None
        self.shuffle = ShardShuffle([shard.stop - shard.start for shard in folder.manifest.shards], seed)
        self.orders: dict[int, NDArray[np.int64]] = {}
        self.count = len(folder) - len(self.held_out_indices)

    @property
    def held_out_indices(self) -> NDArray[np.int64]:
        """Indices of the held-out pairs."""
        return np.arange(0, len(self.folder), self.every)

    def held_out(self, limit: int = 512) -> TrainingPairs:
        """Held-out pairs, not augmented, at most `limit`."""
        return as_tensors(self.folder.batch(int(index) for index in self.held_out_indices[:limit]))

    def held_out_varied(self, limit: int = 1024) -> TrainingPairs:
        """Held-out pairs varied like those that are trained on, at most `limit`."""
        chosen = self.folder.batch(int(index) for index in self.held_out_indices[:limit])
        images, keypoints = zip(
            *(
                self.augmenter(image, points, derived_seed(self.seed, "held out", number))
                for number, (image, points) in enumerate(zip(chosen.images, chosen.keypoints, strict=True))
            ),
            strict=True,
        )
        return as_tensors(PairBatch(images=np.stack(images), keypoints=np.stack(keypoints), visible=chosen.visible))

    def at(self, step: int) -> TrainingPairs:
        """Batch of a step."""
        images, keypoints, visible = zip(*(self._pair(place) for place in self._places(step)), strict=True)
        batch = PairBatch(images=np.stack(images), keypoints=np.stack(keypoints), visible=np.stack(visible))
        return as_tensors(batch)

    def _places(self, step: int) -> range:
        return range(step * self.batch, (step + 1) * self.batch)

    def _pair(self, place: int) -> tuple[Image, NDArray[np.float32], NDArray[np.bool_]]:
        epoch, position = divmod(place, self.count)
        index = int(self._order(epoch)[position])
        if self.kept is not None:
            image, keypoints, visible = self.kept.images[index], self.kept.keypoints[index], self.kept.visible[index]
        else:
            image, keypoints, visible = self.folder.read(index)
        image, keypoints = self.augmenter(image, keypoints, derived_seed(self.seed, "augment", place))
        return image, keypoints, visible

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self.orders:
            self.shuffle.resume(epoch, 0)
            order = self.shuffle.order()
            self.orders = {epoch: order[order % self.every != 0]}
        return self.orders[epoch]

    def ahead(self, step: int) -> Iterator[TrainingPairs]:
        """Batches from `step` on, prepared by one thread; close the iterator to end it."""
        with ThreadPoolExecutor(1) as pool:
            waiting: deque[Future[TrainingPairs]] = deque(pool.submit(self.at, step + offset) for offset in range(AHEAD))
            try:
                while True:
                    step += 1
                    waiting.append(pool.submit(self.at, step + AHEAD - 1))
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
