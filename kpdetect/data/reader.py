"""A folder of shards: checked when opened, read lazily, safe to hand to worker processes."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from kpdetect.data.codec import decode_jpeg, encode_jpeg
from kpdetect.data.schema import Manifest, Shard
from kpdetect.errors import ShardError
from kpdetect.files import file_hash
from kpdetect.images import Image
from kpdetect.pairs import PairBatch

REPAIR = "run the same `kpdetect generate` command again, it rebuilds this shard alone"

OPEN = 8
"""Shards kept open; each has buffers of its own."""


class ShardFolder:
    """Pairs on disk, addressed by index.

    Raises:
        InputError: no manifest.
        ShardError: a shard is missing or has another size than the manifest says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, Manifest.read(folder)
        self.facts = self.manifest.facts
        self.starts = [shard.start for shard in self.manifest.shards]
        self._handles: OrderedDict[str, h5py.File] = OrderedDict()
        self._owner = os.getpid()
        if not self.manifest.shards:
            raise ShardError(f"{folder}: holds no finished shard; {REPAIR}")
        expected = 0
        for shard in self.manifest.shards:
            self._check_size(shard)
            if shard.start != expected:
                raise ShardError(f"{folder}: the pairs from {expected} to {shard.start} are missing; {REPAIR}")
            expected = shard.stop

    def _check_size(self, shard: Shard) -> None:
        path = self.folder / shard.file
        if not path.exists():
            raise ShardError(f"{path}: shard is missing; {REPAIR}")
        if (size := path.stat().st_size) != shard.bytes:
            raise ShardError(f"{path}: damaged shard, {size:,} bytes where {shard.bytes:,} were written; {REPAIR}")

    def __len__(self) -> int:
        return self.manifest.count

    @property
    def lengths(self) -> list[int]:
        """Number of pairs in each shard."""
        return [shard.stop - shard.start for shard in self.manifest.shards]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handles": OrderedDict()}  # open files are never pickled

    def damaged(self) -> list[Shard]:
        """Shards whose checksum is not the manifest's."""
        return [shard for shard in self.manifest.shards if file_hash(self.folder / shard.file) != shard.sha256]

    def _file(self, shard: Shard) -> h5py.File:
        if self._owner != os.getpid():  # forked: the parent's handles are not ours
            self._handles, self._owner = OrderedDict(), os.getpid()
        file = self._handles.pop(shard.file, None)
        if file is None:
            try:
                file = h5py.File(self.folder / shard.file, "r")
            except OSError as error:
                raise ShardError(f"{self.folder / shard.file}: damaged shard; {REPAIR}") from error
        self._handles[shard.file] = file  # the last is the one used last
        while len(self._handles) > OPEN:
            self._handles.popitem(last=False)  # not closed by hand: another thread may be reading it
        return file

    def read(self, index: int) -> tuple[Image, NDArray[np.float32], NDArray[np.bool_]]:
        """Pair `index`: image uint8 [height, width, 3], keypoints float32 [K, 2], visible bool [K]."""
        file, row = self._place(index)
        image = file["images"][row] if self.facts.codec == "raw" else decode_jpeg(_encoded(file, row))
        return image, file["keypoints"][row], file["visible"][row]

    def read_jpeg(self, index: int) -> tuple[bytes, NDArray[np.float32], NDArray[np.bool_]]:
        """Pair `index` with its image as a JPEG file; that of the codec `jpeg` is handed on as it is."""
        file, row = self._place(index)
        data = encode_jpeg(file["images"][row]) if self.facts.codec == "raw" else _encoded(file, row)
        return data.tobytes(), file["keypoints"][row], file["visible"][row]

    def read_mask(self, index: int) -> NDArray[np.uint8]:
        """Foreground mask of pair `index`: uint8 [height, width], 255 on the foreground.

        Raises:
            ShardError: the pairs were made without masks.
        """
        self.require_masks()
        file, row = self._place(index)
        mask: NDArray[np.uint8] = file["masks"][row]
        return mask

    def require_masks(self) -> None:
        """Refuse pairs without masks.

        Raises:
            ShardError: the pairs were made without masks.
        """
        if not self.facts.masks:
            raise ShardError(f"{self.folder}: holds no masks; make the pairs with `kpdetect generate --masks` in another --out")

    def _place(self, index: int) -> tuple[h5py.File, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = self.manifest.shards[bisect_right(self.starts, index) - 1]
        return self._file(shard), index - shard.start

    def batch(self, indices: Iterable[int]) -> PairBatch:
        """Any pairs, in the order asked for."""
        images, keypoints, visible = zip(*(self.read(index) for index in indices), strict=True)
        return PairBatch(images=np.stack(images), keypoints=np.stack(keypoints), visible=np.stack(visible))

    def read_all(self) -> PairBatch:
        """Every pair, decoded by a few threads."""
        images = np.empty((len(self), *self.facts.size, 3), np.uint8)
        with ThreadPoolExecutor(max_workers=4) as pool:
            for shard in self.manifest.shards:
                file, target = self._file(shard), images[shard.start : shard.stop]
                if self.facts.codec == "raw":
                    file["images"].read_direct(target)
                    continue
                data, ends = file["images"][:], file["offsets"][:]
                pieces = (data[begin:end] for begin, end in zip(ends, ends[1:], strict=False))
                for row, image in enumerate(pool.map(decode_jpeg, pieces)):
                    target[row] = image
        files = [self._file(shard) for shard in self.manifest.shards]
        return PairBatch(
            images=images,
            keypoints=np.concatenate([file["keypoints"][:] for file in files]),
            visible=np.concatenate([file["visible"][:] for file in files]),
        )


def _encoded(file: h5py.File, row: int) -> NDArray[np.uint8]:
    begin, end = file["offsets"][row : row + 2]
    data: NDArray[np.uint8] = file["images"][begin:end]
    return data
