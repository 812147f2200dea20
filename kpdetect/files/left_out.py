"""What a listing of files leaves out, and the line that says so."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kpdetect.files.names import shown
from kpdetect.messages import log

_SHOWN = 4
_said: set[str] = set()


@dataclass
class LeftOut:
    """Counts and names of the files that a listing leaves out.

    Attributes:
        endings: number of files of other types, by lower-case ending.
        special: number of named pipes, sockets and devices, because reading them might never end.
        written: number of files of the requested types in folders that a command has written, by folder.
        unnamed: relative paths of files whose names cannot be written into tables.
        above: links to folders above them.
        closed: folders that this user may not read.
        repeated: number of members of a tar file that a later member of the same name replaces.
        outside: names of members of a tar file that lead out of it, or links to no member.
        lost: sentences about archives that are truncated or damaged from some place on.
    """

    endings: Counter[str] = field(default_factory=Counter)
    special: int = 0
    written: Counter[str] = field(default_factory=Counter)
    unnamed: list[str] = field(default_factory=list)
    above: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    repeated: int = 0
    outside: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def line(self, what: str) -> str:
        """Describe the files that are left out in one line; empty if there are none.

        `what` names the requested type, such as "images".
        """
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
        if self.repeated:
            parts.append(f"{_files(self.repeated)} that a later file of the same name in the tar file replaces")
        if self.outside:
            parts.append(f"{_first([shown(name) for name in self.outside])}, whose name or link leads out of the tar file")
        said = [f"left out {'; '.join(parts)}"] if parts else []
        return "; ".join([*said, *self.lost])

    def merge(self, other: LeftOut) -> None:
        """Add the files that another listing left out."""
        self.endings += other.endings
        self.written += other.written
        self.special += other.special
        self.repeated += other.repeated
        for name in ("unnamed", "above", "closed", "outside", "lost"):
            getattr(self, name).extend(getattr(other, name))


def say_left_out(place: Path | str, left_out: LeftOut, what: str) -> None:
    """Log the files that were left out of a folder, once per process. Under torchrun only the first process logs."""
    line = left_out.line(what)
    message = f"{shown(str(place))}: {line}"
    if line and message not in _said and os.environ.get("RANK", "0") == "0":
        _said.add(message)
        log.info(message)


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _first(items: list[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (", ..." if len(items) > _SHOWN else "")
