"""Torch data sets of pairs of an image and its keypoints.

The map-style one reads shards, in a shuffled order. The endless one draws pairs on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, IterableDataset, Sampler, get_worker_info

from kpdetect.data.shard_folder import ShardFolder
from kpdetect.pairs import PairBatch, PairSource
from kpdetect.training.seeds import derived_seed


class PairDataset(Dataset[dict[str, Any]]):
    """The pairs of a folder of shards.

    Items are dicts with `image`, uint8 [height, width, 3]; `keypoints`, float32 [K, 2], normalised; `visible`, bool [K]; and
    `index`. With `masks` they also have `mask`, uint8 [height, width], 255 on the foreground.

    Args:
        folder: a folder of shards, or its path.
        masks: whether items have masks.

    Raises:
        InputError: there are no pairs.
        ShardError: a shard is missing or damaged, or masks are requested and the pairs have none.
    """

    def __init__(self, folder: ShardFolder | Path | str, *, masks: bool = False) -> None:
        folder = folder if isinstance(folder, ShardFolder) else ShardFolder(folder)
        if masks:
            folder.require_masks()
        self.folder, self.masks = folder, masks

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, keypoints, visible = self.folder.read(index)
        item = {"image": image, "keypoints": keypoints, "visible": visible, "index": index}
        return item | {"mask": self.folder.read_mask(index)} if self.masks else item


def read_pairs(folder: Path | str, *, masks: bool = False) -> PairDataset:
    """Open the pairs that `generator.export_pairs` or `kpdetect generate` wrote, as a torch data set.

    Args:
        folder: folder of shards, for example the folder `pairs` of a project.
        masks: whether items have foreground masks.

    Raises:
        InputError: there are no pairs.
        ShardError: a shard is missing or damaged, or masks are requested and the pairs have none.
    """
    return PairDataset(folder, masks=masks)


class LivePairs(IterableDataset[dict[str, Any]]):
    """Pairs that are drawn on demand, endlessly unless `stop` is given.

    Items are like those of `PairDataset`, with masks if the source draws masks. The loader's workers and the ranks of a
    distributed training draw different blocks of pairs, so together they draw every pair once.

    Args:
        source: source of the pairs.
        start, stop: index of the first pair, and the index after the last one. Without `stop` there is no last one.
        rank, world: this process draws every `world`-th block, starting with block `rank`.
        block: number of pairs drawn at once. Drawing is fastest if it is the batch size of the generator.
    """

    def __init__(
        self, source: PairSource, start: int = 0, stop: int | None = None, *, rank: int = 0, world: int = 1, block: int = 64
    ) -> None:
        self.source, self.start, self.stop = source, start, stop
        self.rank, self.world, self.block = rank, world, block

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        position = self.start + (self.rank * count + number) * self.block
        while self.stop is None or position < self.stop:
            end = position + self.block if self.stop is None else min(position + self.block, self.stop)
            index = position
            for batch in self.source.batches(position, end):
                for row in range(len(batch)):
                    yield _item(batch, row, index + row)
                index += len(batch)
            position += self.world * count * self.block


def _item(batch: PairBatch, row: int, index: int) -> dict[str, Any]:
    item = {"image": batch.images[row], "keypoints": batch.keypoints[row], "visible": batch.visible[row], "index": index}
    return item if batch.masks is None else item | {"mask": batch.masks[row]}


class ShardShuffle(Sampler[int]):
    """A shuffled order of pairs, which reads a few shards at a time and is split among the ranks of a distributed training.

    Args:
        lengths: number of pairs in each shard, `ShardFolder.lengths`.
        seed: random seed. The order depends on this seed and on the epoch.
        together: number of shards whose pairs are mixed with each other.
        rank, world: this process reads every `world`-th pair, starting with pair `rank`.
        even: leave out up to `world` - 1 pairs of every epoch, so that all ranks have the same number, as
            DistributedDataParallel requires.
    """

    def __init__(
        self, lengths: Sequence[int], seed: int, *, together: int = 4, rank: int = 0, world: int = 1, even: bool = False
    ) -> None:
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.seed, self.together, self.rank, self.world = seed, together, rank, world
        self.used = int(self.starts[-1]) // world * world if even else int(self.starts[-1])
        self.epoch = 0
        self.skip = 0

    def resume(self, epoch: int, done: int) -> None:
        """Continue in `epoch` after `done` pairs of this rank."""
        self.epoch, self.skip = epoch, done

    def order(self) -> NDArray[np.int64]:
        """Compute the order of the epoch's pairs, for all ranks together."""
        source = np.random.default_rng(derived_seed(self.seed, "shards", self.epoch))
        shards = source.permutation(len(self.starts) - 1)
        mixed = []
        for first in range(0, len(shards), self.together):
            rows = [np.arange(self.starts[shard], self.starts[shard + 1]) for shard in shards[first : first + self.together]]
            mixed.append(source.permutation(np.concatenate(rows)))
        return np.concatenate(mixed)

    def __iter__(self) -> Iterator[int]:
        yield from self.order()[self.rank : self.used : self.world][self.skip :].tolist()

    def __len__(self) -> int:
        return len(range(self.rank, self.used, self.world)) - self.skip
