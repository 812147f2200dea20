"""Read images by their paths, whether they are files or images in archives that this process has opened."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Images(Protocol):
    """Images that are read by their positions, see `kpdetect.files.archives.archive.Archive`."""

    def row(self, name: str) -> int | None:
        """Return the position of an image; None if there is no image of this name."""

    def read(self, row: int) -> bytes:
        """Read an image as the bytes of an image file."""

    def size_and_time(self, row: int) -> tuple[int, int]:
        """Return a size in bytes and a time in nanoseconds, which change if the image may have changed."""


_opened: dict[str, Images] = {}


def remember(paths: Iterable[str], images: Images) -> None:
    """Make the images of an archive readable by their paths.

    Args:
        paths: all spellings of the path that stands for the archive.
        images: the images.
    """
    for path in paths:
        _opened[path] = images


def content_of(path: Path) -> bytes | None:
    """Read an image in an archive as the bytes of an image file; None if the path is in no opened archive.

    Raises:
        InputError: the image is damaged.
    """
    place = _place(path)
    return None if place is None else place[0].read(place[1])


def exists(path: Path) -> bool:
    """Tell whether a path is a file or an image in an opened archive."""
    return path.is_file() or _place(path) is not None


def size_and_time(path: Path) -> tuple[int, int]:
    """Return the size in bytes and the time of change in nanoseconds of a file or of an image in an opened archive.

    Raises:
        OSError: there is no such file.
    """
    if (place := _place(path)) is not None:
        return place[0].size_and_time(place[1])
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns


def _place(path: Path) -> tuple[Images, int] | None:
    """Find the archive of an image and its position there; None for a path in no opened archive."""
    if _opened:
        text = os.fspath(path)
        for archive, images in list(_opened.items()):
            if text.startswith(archive) and text[len(archive) : len(archive) + 1] == os.sep:
                row = images.row(text[len(archive) + 1 :].replace(os.sep, "/"))
                if row is not None:
                    return images, row
    return None
