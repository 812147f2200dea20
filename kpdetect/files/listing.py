"""List the files of requested types below a folder, each file once, and count the files that are left out.

Links to folders are followed, and each real folder is read once. Links to a folder above are left out. Folders that a command
of this project has written are also left out. Hidden files and folders, and notes and tables (`NOTES`), are left out without a
message."""

from __future__ import annotations

import heapq
import os
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

from kpdetect.files.endings import NOTES
from kpdetect.files.left_out import LeftOut
from kpdetect.files.name_table import NameTable
from kpdetect.files.names import is_writable, shown

OUTPUT = ".kpdetect-output"
"""Name of an empty file that marks a folder of results, if no other file in the folder shows that."""
_WRITTEN = tuple(
    map(
        frozenset,
        (
            {OUTPUT},
            {".kpdetect.lock"},  # a command runs, or was killed
            {".kpdetect-parts"},  # a command runs, or was killed
            {"config.yaml", "environment.json"},
            {"config.yaml", "cells"},
            {"predictions.json", "predictions.csv"},
            {"derived.json"},
            {"edits.json", "edits.csv"},
            {"nearest.json"},
            {"embeddings.json"},
            {"control.json"},
            {"measured.json", "measured.csv"},
            {"toy.json", "keypoints.csv"},
            {"toy.unfinished.json"},
            {"keypoints.yaml"},
            {"detector.safetensors"},
            {"generator.safetensors"},
        ),
    )
)
"""A folder with all names of one of these sets was written by a command. Folders of crops are inputs, so they have no set."""


def list_files(folder: Path, suffixes: Collection[str], out: Path | None = None) -> tuple[NameTable, LeftOut]:
    """List the files below a folder with one of the `suffixes`, as relative POSIX paths, sorted folder by folder.

    Args:
        folder: the folder; it is searched recursively.
        suffixes: endings in lower case, with their dots.
        out: folder of results. Its files are left out, unless `folder` is `out` or lies in it.

    Returns:
        The relative paths, and the files that are left out.
    """
    walk = _Walk(folder, frozenset(suffixes), out)
    names = NameTable(walk.names())
    return _sorted(names, walk.starts), walk.left_out


def _sorted(names: NameTable, starts: list[int]) -> NameTable:
    """Sort names as paths compare. `starts` are the positions of runs that are sorted already."""
    if all(_key(names[start - 1]) < _key(names[start]) for start in starts[1:]):
        return names
    ends = [*starts[1:], len(names)]
    runs = [names.between(start, stop) for start, stop in zip(starts, ends, strict=True)]
    return NameTable(heapq.merge(*runs, key=_key))


def _key(name: str) -> str:
    return name.replace("/", "\0")


class _Walk:
    """One pass over a folder and its subfolders.

    Attributes:
        left_out: what is left out so far.
        starts: number of files that were listed before each folder with files. The files of one folder are sorted.
    """

    def __init__(self, folder: Path, suffixes: frozenset[str], out: Path | None) -> None:
        self.folder, self.suffixes, self.left_out = folder, suffixes, LeftOut()
        real = Path(os.path.realpath(folder))
        self.seen = {identity for identity in [_identity(real)] if identity}
        self.above = {identity for parent in real.parents if (identity := _identity(parent))}
        self.out = None if out is None else _identity(out)
        self.starts, self.count = list[int](), 0

    def names(self) -> Iterator[str]:
        folders, links = deque([""]), deque[str]()
        while folders or links:
            place = (
                folders.popleft() if folders else links.popleft()
            )  # links come last, so that a file is listed by its path without links
            if place and not self._enters(place):
                continue
            try:
                with os.scandir(self.folder / place) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError:
                self.left_out.closed.append(place or ".")
                continue
            if place and is_written({entry.name for entry in entries}):
                self._skip(place)
                continue
            start = self.count
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                name = f"{place}/{entry.name}" if place else entry.name
                if _is_folder(entry):
                    (links if entry.is_symlink() else folders).append(name)
                elif self._takes(entry, name):
                    if self.count == start:
                        self.starts.append(start)
                    self.count += 1
                    yield name

    def _enters(self, place: str) -> bool:
        identity = _identity(self.folder / place)
        if identity is None:
            self.left_out.closed.append(place)
        elif identity == self.out:
            self._skip(place)
        elif identity in self.above:
            self.left_out.above.append(place)
        elif identity not in self.seen:
            self.seen.add(identity)
            return True
        return False

    def _takes(self, entry: os.DirEntry[str], name: str) -> bool:
        ending = os.path.splitext(entry.name)[1].lower()
        if _is_special(entry):
            self.left_out.special += 1
        elif ending not in self.suffixes:
            if ending not in NOTES:
                self.left_out.endings[shown(ending)] += 1
        elif not is_writable(name):
            self.left_out.unnamed.append(name)
        else:
            return True
        return False

    def _skip(self, place: str) -> None:
        """Count the files in a folder of results, which is left out."""
        count = 0
        for _, folders, files in os.walk(self.folder / place):
            folders[:] = [name for name in folders if not name.startswith(".")]
            count += sum(os.path.splitext(name)[1].lower() in self.suffixes for name in files)
        if count:
            self.left_out.written[place] += count


def is_written(names: Collection[str]) -> bool:
    """Tell from the names of a folder's entries whether a command of this project wrote the folder."""
    return any(mark <= set(names) for mark in _WRITTEN)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is something else than a file or a broken link.

    Broken links are listed, because reading them raises an error that names them.
    """
    try:
        return not entry.is_file() and os.path.exists(entry.path)
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
