"""A folder of shards, which are HDF5 files of pairs of an image and its keypoints.

The folder is checked when it is opened. Shards are read on demand, also by worker processes."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.data.schema import Manifest, Shard
from kpdetect.data.shard import REPAIR, OpenShard, decode_jpeg
from kpdetect.errors import ShardError
from kpdetect.files.hashes import bytes_hash, file_hash
from kpdetect.files.hdf5_guard import look_at
from kpdetect.files.records import inside
from kpdetect.images.arrays import Image
from kpdetect.pairs import PairBatch

NAMED = 5
"""Largest number of missing shards that a message names."""
OPEN = 8
"""Largest number of shards that are open at once, because each takes memory."""


class ShardFolder:
    """The pairs in a folder of shards, read by their index.

    Raises:
        InputError: there is no manifest.
        ShardError: a shard is missing, or its size differs from the manifest.
    """

    def __init__(self, folder: Path | str) -> None:
        folder = Path(folder)
        self.folder, self.manifest = folder, Manifest.read(folder)
        self.facts = self.manifest.facts
        self.starts = [shard.start for shard in self.manifest.shards]
        self._handles: OrderedDict[str, OpenShard] = OrderedDict()
        self._owner, self._looked_at = os.getpid(), False
        if not self.manifest.shards:
            raise ShardError(f"{folder}: there is no finished shard; {REPAIR}")
        self._require_shards()
        expected = 0
        for shard in self.manifest.shards:
            if shard.start != expected or shard.stop <= shard.start:
                raise ShardError(f"{folder}: the pairs from {expected} to {shard.start} are missing; {REPAIR}")
            expected = shard.stop

    def _require_shards(self) -> None:
        sizes = {inside(self.folder, shard.file, ShardError): shard.bytes for shard in self.manifest.shards}
        if missing := [path.name for path in sizes if not path.is_file()]:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            names = ", ".join(missing[:NAMED])
            raise ShardError(f"{self.folder}: the manifest names {names}{more}, which is missing; {REPAIR}")
        for path, size in sizes.items():
            if (actual := path.stat().st_size) != size:
                raise ShardError(f"{path}: damaged shard, got {actual:,} bytes, expected {size:,}; {REPAIR}")
        for shard in self.manifest.shards:
            if (shard.stop - shard.start) * self.facts.least_bytes > shard.bytes:
                raise ShardError(f"{self.folder / shard.file}: too small for {shard.stop - shard.start:,} pairs; {REPAIR}")

    def __len__(self) -> int:
        return self.manifest.count

    @property
    def lengths(self) -> list[int]:
        """Number of pairs in each shard."""
        return [shard.stop - shard.start for shard in self.manifest.shards]

    @property
    def hash(self) -> str:
        """A hash of the pairs, which differs for different pairs."""
        return bytes_hash("\n".join(shard.sha256 for shard in self.manifest.shards).encode())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handles": OrderedDict()}  # a pickled copy opens its files itself

    def damaged(self) -> list[Shard]:
        """List the shards whose checksum differs from the manifest."""
        return [shard for shard in self.manifest.shards if file_hash(self.folder / shard.file) != shard.sha256]

    def _opened(self, shard: Shard) -> OpenShard:
        if self._owner != os.getpid():  # after a fork the open files belong to the parent process
            self._handles, self._owner = OrderedDict(), os.getpid()
        opened = self._handles.pop(shard.file, None)
        if opened is None:
            self._look_at_shards()
            opened = OpenShard(self.folder / shard.file, self.facts, shard.stop - shard.start)
        self._handles[shard.file] = opened  # the last entry is the most recently used one
        while len(self._handles) > OPEN:
            self._handles.popitem(last=False)  # not closed here, because another thread may be reading it
        return opened

    def _look_at_shards(self) -> None:
        """Check all shards in one separate process, instead of one process per shard (see `kpdetect.files.hdf5_guard`)."""
        if not self._looked_at:
            look_at(self.folder / shard.file for shard in self.manifest.shards)
            self._looked_at = True

    def read(self, index: int) -> tuple[Image, NDArray[np.float32], NDArray[np.bool_]]:
        """Read pair `index`: image uint8 [height, width, 3], keypoints float32 [K, 2], visible bool [K]."""
        shard, row = self._place(index)
        return shard.image(row), shard.keypoints[row].copy(), shard.visible[row].copy()

    def read_jpeg(self, index: int) -> tuple[bytes, NDArray[np.float32], NDArray[np.bool_]]:
        """Read pair `index` with its image as a JPEG file. With the codec `jpeg` the stored bytes are returned."""
        shard, row = self._place(index)
        return shard.jpeg(row), shard.keypoints[row].copy(), shard.visible[row].copy()

    def read_mask(self, index: int) -> NDArray[np.uint8]:
        """Read the foreground mask of pair `index`: uint8 [height, width], 255 on the foreground.

        Raises:
            ShardError: the pairs have no masks.
        """
        self.require_masks()
        shard, row = self._place(index)
        return shard.mask(row)

    def require_masks(self) -> None:
        """Refuse pairs without masks.

        Raises:
            ShardError: the pairs have no masks.
        """
        if not self.facts.masks:
            raise ShardError(
                f"{self.folder}: the pairs have no masks; make them with `kpdetect generate --masks` in another `out`"
            )

    def _place(self, index: int) -> tuple[OpenShard, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = self.manifest.shards[bisect_right(self.starts, index) - 1]
        return self._opened(shard), index - shard.start

    def batch(self, indices: Iterable[int]) -> PairBatch:
        """Read the pairs with these indices, in this order. If there are no indices, the arrays are empty."""
        pairs = [self.read(index) for index in indices]
        if not pairs:
            return self._empty(0)
        images, keypoints, visible = zip(*pairs, strict=True)
        return PairBatch(images=np.stack(images), keypoints=np.stack(keypoints), visible=np.stack(visible))

    def read_all(self) -> PairBatch:
        """Read every pair. A few threads decode the images."""
        pairs = self._empty(len(self))
        images, keypoints, visible = pairs.images, pairs.keypoints, pairs.visible
        with ThreadPoolExecutor(max_workers=4) as pool:
            for shard in self.manifest.shards:
                opened, span = self._opened(shard), slice(shard.start, shard.stop)
                keypoints[span], visible[span] = opened.keypoints, opened.visible
                if self.facts.codec == "raw":
                    opened.read_raw(images[span])
                    continue
                decoded = pool.map(lambda data: decode_jpeg(data, self.facts.size), opened.pieces())
                for row, image in enumerate(decoded, start=shard.start):
                    images[row] = image
        return pairs

    def _empty(self, count: int) -> PairBatch:
        """Allocate arrays for a number of pairs."""
        return PairBatch(
            images=np.empty((count, *self.facts.size, 3), np.uint8),
            keypoints=np.empty((count, self.facts.keypoints, 2), np.float32),
            visible=np.empty((count, self.facts.keypoints), np.bool_),
        )
