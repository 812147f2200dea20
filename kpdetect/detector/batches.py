"""Augmented batches of pairs: batch t follows from (seed, t) alone; the next ones are prepared while one is used.

Folders of shards that a detector can learn from, and how two of them are told apart.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kpdetect.data.augment import AugmentConfig, PairAugmenter
from kpdetect.data.dataset import ShardShuffle
from kpdetect.data.reader import ShardFolder
from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.pairs import PairBatch, PairSource
from kpdetect.training.prefetch import prepared
from kpdetect.training.seeds import derived_seed

LIVE = "live/"
"""How the key of pairs that are drawn live begins."""
MIN_PAIRS = 2
"""One to hold out and one to learn from."""


def open_pairs(pairs: Path, keypoints: int | None = None) -> ShardFolder:
    """A folder of shards that a detector can learn from.

    Args:
        pairs: folder of shards.
        keypoints: K that the pairs must have; any unless given.

    Raises:
        InputError: the images are not square, there are too few, or K is another.
        ShardError: damaged.
    """
    folder = ShardFolder(pairs)
    height, width = folder.facts.size
    if height != width:
        raise InputError(f"{folder.folder}: pairs of {width}x{height} pixels (width x height); expected square ones")
    if len(folder) < MIN_PAIRS:
        raise InputError(
            f"{folder.folder}: {len(folder)} pair; expected at least {MIN_PAIRS}, thousands to learn well; generate more"
        )
    if keypoints not in (None, folder.facts.keypoints):
        raise InputError(
            f"{folder.folder}: pairs of {folder.facts.keypoints} keypoints; the detector has {keypoints}; "
            "give the pairs that it was trained on"
        )
    return folder


def live_key(provenance: dict[str, Any]) -> str:
    """Differs when pairs are drawn live from something else."""
    return f"{LIVE}{json.dumps(provenance, sort_keys=True)}"


def is_live(key: str) -> bool:
    """Whether a key is one of `live_key`."""
    return key.startswith(LIVE)


def pairs_key(folder: ShardFolder) -> str:
    """Differs when the pairs of a folder do."""
    return f"{len(folder)}/{'/'.join(shard.sha256 for shard in folder.manifest.shards)}"


RAM_LIMIT = 2 * 2**30
"""Bytes of decoded pairs that are kept in memory."""
AHEAD = 4
"""Batches prepared in advance."""
BLOCK = 64
"""Pairs drawn at once when they are drawn live; what a generator draws in one pass."""
HELD_OUT_VARIED = 1024
"""Held-out pairs of which confidence is measured, at most."""
HELD_OUT_LIVE = 1024
"""Pairs of a live source that are never trained on."""
Pair = tuple[Image, NDArray[np.float32], NDArray[np.bool_]]
"""Image uint8 [height, width, 3], keypoints [K, 2] (normalised), visible [K]."""


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


class Batches(ABC):
    """Endless augmented batches, and held-out pairs as they are.

    Args:
        batch: pairs per batch.
        augment: how pairs are varied.
        seed: with the step, decides everything.
    """

    rank, world = 0, 1
    """Which part of every batch is this process's own: every `world`-th pair, beginning with the `rank`-th."""

    def __init__(self, batch: int, augment: AugmentConfig, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self.augmenter = PairAugmenter(augment)
        self.taking = threading.Lock()

    @abstractmethod
    def pair(self, place: int) -> Pair:
        """What stands at a place in the endless order of training, not augmented."""

    @abstractmethod
    def held_out_pairs(self, limit: int) -> PairBatch:
        """Pairs that are never trained on, at most `limit`."""

    def held_out(self, limit: int = 512) -> TrainingPairs:
        """Held-out pairs, not augmented, at most `limit`."""
        return as_tensors(self.held_out_pairs(limit))

    def held_out_varied(self, limit: int = HELD_OUT_VARIED) -> TrainingPairs:
        """Held-out pairs varied like those that are trained on, at most `limit`."""
        chosen = self.held_out_pairs(limit)
        pairs = zip(chosen.images, chosen.keypoints, chosen.visible, strict=True)
        return self._varied(pairs, [derived_seed(self.seed, "held out", number) for number in range(len(chosen))])

    def at(self, step: int) -> TrainingPairs:
        """Batch of a step."""
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
        """Batches from `step` on, prepared by threads; close the iterator to end them."""
        return prepared(self.at, step, ahead=AHEAD, workers=workers)


class PairBatches(Batches):
    """Batches of the pairs of a folder of shards.

    Args:
        folder: shards.
        batch: pairs per batch.
        held_out: share of the pairs that is held out: every n-th, so that it does not depend on how many there are.
        augment: how pairs are varied.
        seed: with the step, decides everything.
        memory: pairs that decode to fewer bytes than this are kept in memory.
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
        """Indices of the held-out pairs."""
        return np.arange(0, len(self.folder), self.every)

    def held_out_pairs(self, limit: int) -> PairBatch:
        """Every n-th pair, the first `limit` of them."""
        return self.folder.batch(int(index) for index in self.held_out_indices[:limit])

    def pair(self, place: int) -> Pair:
        """Place p is position p mod count of epoch p // count."""
        epoch, position = divmod(place, self.count)
        index = int(self._order(epoch)[position])
        if self.kept is not None:
            return self.kept.images[index], self.kept.keypoints[index], self.kept.visible[index]
        return self.folder.read(index)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self.orders:
            self.shuffle.resume(epoch, 0)
            order = self.shuffle.order()
            self.orders = {epoch: order[order % self.every != 0]}
        return self.orders[epoch]


class LiveBatches(Batches):
    """Batches of pairs that are drawn as they are needed, each once (the paper's 200,000 pairs are made on the fly).

    Several processes take turns in whole blocks, so that each draws its own pairs only.

    Args:
        source: makes the pairs; the first `HELD_OUT_LIVE` of them are held out.
        batch: pairs per batch.
        augment: how pairs are varied.
        seed: with the step, decides how they are varied.
    """

    def __init__(self, source: PairSource, batch: int, augment: AugmentConfig, seed: int) -> None:
        super().__init__(batch, augment, seed)
        self.source = source
        self.blocks: OrderedDict[int, PairBatch] = OrderedDict()
        self.most_blocks = 2  # a batch may lie across two

    def ahead(self, step: int, workers: int = 1) -> Generator[TrainingPairs, None, None]:
        """As of other batches; workers may ask for blocks out of order, and each is drawn once nevertheless."""
        self.most_blocks = 2 + workers
        return super().ahead(step, workers)

    def held_out_pairs(self, limit: int) -> PairBatch:
        """The source's first pairs."""
        count = min(limit, HELD_OUT_LIVE)
        parts = list(self.source.batches(0, count))
        return PairBatch(
            images=np.concatenate([part.images for part in parts]),
            keypoints=np.concatenate([part.keypoints for part in parts]),
            visible=np.concatenate([part.visible for part in parts]),
        )

    def pair(self, place: int) -> Pair:
        """Of one process, place p is the source's pair HELD_OUT_LIVE + p."""
        own, rank = divmod(place, self.world)  # this process's places are those with its rank
        number, row = divmod(own, BLOCK)
        number = HELD_OUT_LIVE // BLOCK + number * self.world + rank
        if number not in self.blocks:
            (self.blocks[number],) = self.source.batches(number * BLOCK, (number + 1) * BLOCK)
            while len(self.blocks) > self.most_blocks:
                self.blocks.popitem(last=False)
        block = self.blocks[number]
        return block.images[row], block.keypoints[row], block.visible[row]
