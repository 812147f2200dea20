"""Several archives that are used as one, such as the shards of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kpdetect.files.archives.archive import Archive
from kpdetect.files.left_out import LeftOut
from kpdetect.files.name_table import NameTable


class SeveralArchives(Archive):
    """The images of several archives, one archive after the other.

    If a name occurs in more than one archive, the archive's own name is put before all names, as a folder.

    Args:
        path: the path that stands for all of them.
        archives: the archives.
        labels: a name for each archive. All differ.
    """

    def __init__(self, path: Path, archives: Sequence[Archive], labels: Sequence[str]) -> None:
        self.archives = archives
        self._ends = np.cumsum([len(archive.names) for archive in archives])
        names = NameTable(name for archive in archives for name in archive.names)
        if names.repeated().any():
            names = NameTable(_labelled(archives, labels))
        left_out = LeftOut()
        for archive in archives:
            left_out.merge(archive.left_out)
        super().__init__(path, names, left_out, tuple(part for archive in archives for part in archive.stamp))

    def read(self, row: int) -> bytes:
        """Read an image from its archive."""
        archive, inner = self._place(row)
        return archive.read(inner)

    def size_and_time(self, row: int) -> tuple[int, int]:
        """Return the size and time that the image's archive states."""
        archive, inner = self._place(row)
        return archive.size_and_time(inner)

    def _place(self, row: int) -> tuple[Archive, int]:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return self.archives[number], row - (int(self._ends[number - 1]) if number else 0)


def _labelled(archives: Sequence[Archive], labels: Sequence[str]) -> Iterator[str]:
    return (f"{label}/{name}" for archive, label in zip(archives, labels, strict=True) for name in archive.names)
