"""Tar files, such as WebDataset shards. Opening one reads only the headers; images are read from their places later."""

from __future__ import annotations

import os
import posixpath
import tarfile
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.files.archives.archive import Archive, stamp_of
from kpdetect.files.endings import IMAGES, NOTES
from kpdetect.files.left_out import LeftOut
from kpdetect.files.name_table import NameTable
from kpdetect.files.names import is_writable, leads_out, shown
from kpdetect.files.reading import reading

ADVICE = "expected an uncompressed tar file; copy or make it again"


class TarArchive(Archive):
    """The images of a tar file.

    Raises:
        InputError: the file cannot be read, or is no tar file.
    """

    def __init__(self, path: Path) -> None:
        with reading(path, InputError, ADVICE):
            stamp = stamp_of(path)
            index = _Index(path)
        self.places = index.places
        super().__init__(path, index.names, index.left_out, stamp)

    def read(self, row: int) -> bytes:
        """Read an image from its place in the file."""
        start, size = self.places[row].tolist()
        name = self.path / self.names[row]
        with reading(name, InputError, "copy the tar file again"):
            file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                self.require_unchanged(file)
                content = _part(file, start, size)
            finally:
                os.close(file)
            if len(content) < size:
                raise InputError(f"{name}: the tar file ends within this image; copy or make the tar file again")
        return content

    def size_and_time(self, row: int) -> tuple[int, int]:
        """Return the size of an image, and the time of change of the tar file."""
        return int(self.places[row, 1]), self.stamp[0][2]


def _part(file: int, start: int, size: int) -> bytes:
    """Read `size` bytes of an open file from `start` on, or fewer if the file ends before."""
    parts, done = [], 0
    os.lseek(file, start, os.SEEK_SET)
    while done < size and (part := os.read(file, size - done)):
        parts.append(part)
        done += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _Index:
    """The names and places of the images in a tar file.

    Attributes:
        names: names of the images.
        places: int64 [images, 2], first byte and size of each image.
        left_out: the members that are left out.
    """

    def __init__(self, path: Path) -> None:
        self.left_out = LeftOut()
        self._links: list[tuple[str, str]] = []
        places = array("q")
        names = NameTable(self._images(path, places))
        table: NDArray[np.int64] = np.array(places, np.int64).reshape(-1, 2)
        names, table = self._with_links(names, table)
        if (repeated := names.repeated()).any():
            self.left_out.repeated = int(repeated.sum())
            kept = np.flatnonzero(~repeated)
            names, table = names.taken(kept), table[kept]
        self.names, self.places = names, table

    def _images(self, path: Path, places: array[int]) -> Iterator[str]:
        """Yield the names of the images, and append their places to `places`."""
        with tarfile.open(path, "r:", errorlevel=0) as tar:
            for member in self._members(tar, path):
                name = posixpath.normpath(member.name)
                if self._takes(member, name):
                    places.extend((member.offset_data, member.size))
                    yield name

    def _members(self, tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
        """Yield all members up to the end of the file, or to the first damaged header."""
        last = ""
        try:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # millions of them need much memory
                last = member.name
                yield member
            whole = not any(_block(tar))
        except tarfile.ReadError:
            whole = False
        if not whole:
            self.left_out.lost.append(f"{path.name} is truncated or damaged after {shown(last)}, images behind it are missing")

    def _takes(self, member: tarfile.TarInfo, name: str) -> bool:
        ending = posixpath.splitext(name)[1].lower()
        if member.isdir() or any(part.startswith(".") for part in name.split("/") if part != ".."):
            return False
        if ending not in IMAGES:
            if ending not in NOTES and member.isreg():
                self.left_out.endings[shown(ending)] += 1
        elif not is_writable(name):
            self.left_out.unnamed.append(name)
        elif leads_out(name):
            self.left_out.outside.append(name)
        elif member.islnk() or member.issym():
            above = posixpath.dirname(name) if member.issym() else ""
            self._links.append((name, posixpath.normpath(posixpath.join(above, member.linkname))))
        elif not member.isreg() or member.issparse():
            self.left_out.special += 1
        else:
            return True
        return False

    def _with_links(self, names: NameTable, places: NDArray[np.int64]) -> tuple[NameTable, NDArray[np.int64]]:
        """Append links as images with the places of the images that they mean. Links to nothing are left out."""
        if not self._links:
            return names, places
        rows = [(name, names.row(target)) for name, target in self._links]
        self.left_out.outside += [name for name, row in rows if row is None]
        found = [(name, row) for name, row in rows if row is not None]
        every = NameTable([*names, *(name for name, _ in found)])
        return every, np.concatenate([places, places[[row for _, row in found]]])


def _block(tar: tarfile.TarFile) -> bytes:
    """Read the block at which the reading of headers stopped. In a whole file it is zero, or the file has ended."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    return tar.fileobj.read(tarfile.BLOCKSIZE)
