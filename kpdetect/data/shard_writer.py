"""A writer of one shard, which is an HDF5 file of pairs. The file is assembled in memory and written as a whole.

HDF5 crashes the process if one of its writes fails, for example on a full disk. So it only ever writes to memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from numpy.typing import NDArray

from kpdetect.data.schema import Facts, Shard
from kpdetect.data.shard import encode_jpeg
from kpdetect.files.atomic import replacing
from kpdetect.files.hashes import file_hash
from kpdetect.files.hdf5_guard import written_here
from kpdetect.pairs import PairBatch


class ShardWriter:
    """Writes the pairs start <= i < stop of a folder into one file.

    It is a context manager. The file is written at the end of the `with` block, but not after an exception.

    Args:
        path: path of the file.
        facts: the values that all shards of the folder share.
        start, stop: range of the pairs in this shard.
        pool: threads that encode images.

    Raises:
        OutputError: the file cannot be written, or the disk is full.
    """

    def __init__(self, path: Path, facts: Facts, start: int, stop: int, pool: Executor) -> None:
        self.path, self.facts, self.start, self.stop, self.pool = path, facts, start, stop, pool
        self.filled = 0
        self.ends: list[int] = [0]
        self.file = h5py.File(path.name, "w", driver="core", backing_store=False, track_order=True)
        self._create(stop - start)

    def _create(self, count: int) -> None:
        facts = self.facts
        self.file.attrs.update(facts.attributes(self.start, self.stop))
        self.keypoints = self.file.create_dataset("keypoints", (count, facts.keypoints, 2), np.float32)
        self.visible = self.file.create_dataset("visible", (count, facts.keypoints), np.bool_)
        if facts.masks:
            self.masks = self.file.create_dataset(
                "masks", (count, *facts.size), np.uint8, chunks=(1, *facts.size), compression="gzip", compression_opts=1
            )
        if facts.codec == "raw":
            shape = (*facts.size, 3)
            self.images = self.file.create_dataset("images", (count, *shape), np.uint8, chunks=(1, *shape))
        else:
            self.images = self.file.create_dataset("images", (0,), np.uint8, maxshape=(None,), chunks=(1 << 20,))

    def __enter__(self) -> ShardWriter:
        return self

    def append(self, batch: PairBatch) -> None:
        """Add the next pairs."""
        rows = slice(self.filled, self.filled + len(batch))
        self.keypoints[rows], self.visible[rows] = batch.keypoints, batch.visible
        if self.facts.masks:
            self.masks[rows] = batch.masks
        if self.facts.codec == "raw":
            self.images[rows] = batch.images
        else:
            self._append_bytes(list(self.pool.map(encode_jpeg, batch.images)))
        self.filled += len(batch)

    def _append_bytes(self, encoded: Sequence[NDArray[np.uint8]]) -> None:
        begin = self.ends[-1]
        self.ends.extend((begin + np.cumsum([len(data) for data in encoded])).tolist())
        self.images.resize((self.ends[-1],))
        self.images[begin:] = np.concatenate(encoded)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            content = self._content() if error is None else b""
        finally:
            self.file.close()
        if error is None:
            with replacing(self.path) as temporary:
                temporary.write_bytes(content)
            written_here(self.path)

    def _content(self) -> bytes:
        assert self.filled == self.stop - self.start, "a shard must be filled before it is written"
        if self.facts.codec == "jpeg":
            self.file.create_dataset("offsets", data=np.asarray(self.ends, dtype=np.int64))
        self.file.flush()
        return bytes(self.file.id.get_file_image())

    def describe(self) -> Shard:
        """Return the manifest's entry of the finished shard."""
        size = self.path.stat().st_size
        return Shard(file=self.path.name, start=self.start, stop=self.stop, bytes=size, sha256=file_hash(self.path))
