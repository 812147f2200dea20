"""What all archives have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.files.left_out import LeftOut
from kpdetect.files.name_table import NameTable

Stamp = tuple[tuple[str, int, int], ...]
"""Path, size in bytes and time of change in nanoseconds of each file of an archive."""


class Archive(ABC):
    """A file, or several files, with images that have names and are read in any order.

    Attributes:
        path: the path that stands for the archive, as a folder. `path`/NAME is the path of an image.
        names: names of the images in the order of the archive, as POSIX paths. All differ.
        left_out: the members that are left out.
        stamp: the state of the files when the archive was opened.
    """

    def __init__(self, path: Path, names: NameTable, left_out: LeftOut, stamp: Stamp) -> None:
        self.path, self.names, self.left_out, self.stamp = path, names, left_out, stamp

    def row(self, name: str) -> int | None:
        """Return the position of an image; None if there is no image of this name."""
        return self.names.row(name)

    @abstractmethod
    def read(self, row: int) -> bytes:
        """Read an image as the bytes of an image file. This may be called from several threads.

        Args:
            row: position of the image in `names`.

        Raises:
            InputError: the image is damaged, or the archive has changed since it was opened.
        """

    def size_and_time(self, row: int) -> tuple[int, int]:
        """Return two numbers that change if an image may have changed: a size in bytes, and a time in nanoseconds."""
        return self.stamp[0][1:]

    def require_unchanged(self, file: int) -> None:
        """Refuse an open file of an archive that is one file, if it has changed since the archive was opened.

        Raises:
            InputError: the file has another size or time of change.
        """
        name, *state = self.stamp[0]
        if (*state,) != state_of(file):
            raise InputError(f"{name}: this file has changed since it was opened; run the command again")


def state_of(file: int) -> tuple[int, int]:
    """Return the size in bytes and the time of change in nanoseconds of an open file, by its descriptor."""
    stat = os.fstat(file)
    return stat.st_size, stat.st_mtime_ns


def stamp_of(*paths: Path) -> Stamp:
    """Return the state of files.

    Raises:
        OSError: a file cannot be examined.
    """
    stats = [(str(path), os.stat(path)) for path in paths]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
