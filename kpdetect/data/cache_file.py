"""An HDF5 file of square images whose pixels are written without HDF5.

HDF5 crashes the process if a write fails, on a full disk or at a limit on the size of files. So HDF5 creates only the small
layout of the file. The pixels are added by plain writes, which fail with an ordinary error. HDF5 writes the names after the
pixels, into space that is reserved before.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import h5py
import numpy as np

from kpdetect.files.temporary import temporary_name
from kpdetect.images.arrays import Image

TAIL = 1 << 20
"""Number of bytes reserved for the data that HDF5 writes after the images. `TAIL_PER_IMAGE` bytes are added per image."""
TAIL_PER_IMAGE = 1 << 10
COPIED = 1 << 24


class SquareFile:
    """An HDF5 file whose data set `images`, uint8 [count, side, side, 3], is written image by image.

    Args:
        path: path of the file.
        count: largest number of images.
        side: side of the images in pixels.

    Raises:
        OSError: there is no room for the file.
    """

    def __init__(self, path: Path, count: int, side: int) -> None:
        self.path, self.count, self.side, self.rows = path, count, side, 0
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        require_size(path, self._bytes + TAIL + TAIL_PER_IMAGE * count)
        with h5py.File(path, "w", libver="latest") as file:
            data = file.create_dataset("images", (count, side, side, 3), np.uint8, dcpl=layout)
            self.offset = int(data.id.get_offset())
        self.file: BinaryIO = open(path, "rb+", buffering=0)  # noqa: SIM115
        self.file.seek(self.offset)

    @property
    def _bytes(self) -> int:
        return self.count * self.side * self.side * 3

    def append(self, square: Image) -> None:
        """Append an image, uint8 [side, side, 3]."""
        self._write(np.ascontiguousarray(square).tobytes())
        self.rows += 1

    def shrink(self) -> None:
        """Shrink the file to the images that were appended, if they are fewer than `count`."""
        if self.rows == self.count:
            return
        fewer = SquareFile(temporary_name(self.path), self.rows, self.side)
        try:
            fewer._copy(self)
            os.replace(fewer.path, self.path)
        finally:
            fewer.path.unlink(missing_ok=True)
            self.file.close()
        self.count, self.offset, self.file = fewer.count, fewer.offset, fewer.file

    def _copy(self, other: SquareFile) -> None:
        with open(other.path, "rb") as source:
            source.seek(other.offset)
            left = self._bytes
            while left:
                block = source.read(min(COPIED, left))
                self._write(block)
                left -= len(block)

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self.file.write(view) :]

    @contextmanager
    def opened(self) -> Iterator[h5py.File]:
        """Open the file with HDF5, to write data other than pixels. All images must have been appended."""
        os.fsync(self.file.fileno())
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self.file.fileno(), self.offset + self._bytes, TAIL + TAIL_PER_IMAGE * self.count)
        self.file.close()
        with h5py.File(self.path, "r+", libver="latest") as file:
            yield file

    def __enter__(self) -> SquareFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.file.close()


def require_size(path: Path, size: int) -> None:
    """Create a file and check that it may grow to `size` bytes.

    Raises:
        OSError: the limit of this process or of the file system is lower.
    """
    with open(path, "wb") as file:
        file.truncate(size)
        file.truncate(0)
    if hasattr(os, "statvfs"):
        disk = os.statvfs(path)
        if disk.f_bavail * disk.f_frsize < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
