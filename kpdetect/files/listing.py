"""Files below a folder: each once, of the kinds asked for; what is left out is counted.

Linked folders are followed, each real folder is read once, and a link to a folder above is left out. So is every folder that a
command of this project has written, below the one asked for. Left out without a word are hidden files and folders, and
notes and tables (`NOTES`).
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kpdetect.files.names import is_writable, shown
from kpdetect.messages import log

NOTES = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".txt", ".md", ".yaml", ".yml", ".toml", ".xml", ".ini", ".db", ".log", ".html"}
)
"""Endings of files that lie beside images and are not missed."""
OUTPUT = ".kpdetect-output"
"""Empty file in a folder of results that has no other mark."""
_WRITTEN = tuple(
    map(
        frozenset,
        (
            {OUTPUT},
            {".kpdetect.lock"},  # of a command that runs, or was killed
            {".kpdetect-parts"},  # the same
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
"""Files that are together in no folder but one that a command has written. Crops are not among them: they are to be read."""
_SHOWN = 4
_said: set[str] = set()


@dataclass
class LeftOut:
    """What a listing leaves out.

    Attributes:
        endings: number of files by their ending, lower case.
        special: number of named pipes, sockets and devices, which would never end.
        written: number of files of the kinds asked for, by folder that a command has written.
        unnamed: files whose names cannot be written into tables, below the folder.
        above: links to folders above.
        closed: folders that may not be read.
    """

    endings: Counter[str] = field(default_factory=Counter)
    special: int = 0
    written: Counter[str] = field(default_factory=Counter)
    unnamed: list[str] = field(default_factory=list)
    above: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def line(self, what: str) -> str:
        """One line for people; empty where nothing was left out. `what` is what the files are not, such as "images"."""
        parts = []
        if count := self.endings.total():
            kinds = [f"{number:,} {ending or 'without ending'}" for ending, number in self.endings.most_common()]
            parts.append(f"{_files(count)} that {'is' if count == 1 else 'are'} no {what} kpdetect reads: {_first(kinds)}")
        if count := self.written.total():
            parts.append(f"{_files(count)} in folders that kpdetect wrote: {_first([shown(name) for name in self.written])}")
        if self.unnamed:
            names = _first([shown(name) for name in self.unnamed])
            parts.append(
                f"{_files(len(self.unnamed))} whose name is not UTF-8 or holds a control character: {names}; rename it"
            )
        if self.special:
            parts.append(
                "1 named pipe, socket or device" if self.special == 1 else f"{self.special:,} named pipes, sockets or devices"
            )
        if self.above:
            parts.append(f"{_first([shown(name) for name in self.above])}, a link to a folder above")
        if self.closed:
            parts.append(f"{_first([shown(name) for name in self.closed])}, which may not be read")
        return f"left out {'; '.join(parts)}" if parts else ""

    def merge(self, other: LeftOut) -> None:
        """Count what another listing left out too."""
        self.endings += other.endings
        self.written += other.written
        self.special += other.special
        for mine, more in ((self.unnamed, other.unnamed), (self.above, other.above), (self.closed, other.closed)):
            mine.extend(more)


def say_left_out(place: Path | str, left_out: LeftOut, what: str) -> None:
    """Say, once per process, what was left out of a folder; of several processes of torchrun the first does."""
    line = left_out.line(what)
    told = f"{shown(str(place))}: {line}"
    if line and told not in _said and os.environ.get("RANK", "0") == "0":
        _said.add(told)
        log.info(told)


def list_files(folder: Path, suffixes: Collection[str], out: Path | None = None) -> tuple[list[str], LeftOut]:
    """Files below a folder with one of the lower-case `suffixes`, as POSIX paths relative to it, sorted folder by folder.

    Args:
        folder: is searched recursively.
        suffixes: with their dots.
        out: folder of results; what it holds is left out, unless it is `folder` itself or above.
    """
    walk = _Walk(folder, frozenset(suffixes), out)
    names = list(walk.names())
    names.sort(key=lambda name: name.replace("/", "\0"))  # as paths are compared
    return names, walk.left_out


class _Walk:
    """One pass over a folder."""

    def __init__(self, folder: Path, suffixes: frozenset[str], out: Path | None) -> None:
        self.folder, self.suffixes, self.left_out = folder, suffixes, LeftOut()
        real = Path(os.path.realpath(folder))
        self.seen = {identity for identity in [_identity(real)] if identity}
        self.above = {identity for parent in real.parents if (identity := _identity(parent))}
        self.out = None if out is None else _identity(out)

    def names(self) -> Iterator[str]:
        folders, links = deque([""]), deque[str]()
        while folders or links:
            place = folders.popleft() if folders else links.popleft()  # links last: a file has the name without a link
            if place and not self._enters(place):
                continue
            try:
                with os.scandir(self.folder / place) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError:
                self.left_out.closed.append(place or ".")
                continue
            if place and is_written({entry.name for entry in entries}):
                self._skip(place)
                continue
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                name = f"{place}/{entry.name}" if place else entry.name
                if _is_folder(entry):
                    (links if entry.is_symlink() else folders).append(name)
                elif self._takes(entry, name):
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
        """Count what a folder of results holds."""
        count = 0
        for _, folders, files in os.walk(self.folder / place):
            folders[:] = [name for name in folders if not name.startswith(".")]
            count += sum(os.path.splitext(name)[1].lower() in self.suffixes for name in files)
        if count:
            self.left_out.written[place] += count


def is_written(names: Collection[str]) -> bool:
    """Whether a folder with entries of these names was written by a command of this project."""
    return any(mark <= set(names) for mark in _WRITTEN)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is neither a file nor a link to nowhere, which readers report by name."""
    try:
        return not entry.is_file() and os.path.exists(entry.path)
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _first(items: list[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (", ..." if len(items) > _SHOWN else "")
