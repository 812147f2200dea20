"""Check HDF5 files in a separate process, so that only this process hangs or crashes: `python -P hdf5_check.py`.

The process reads the paths as a JSON list from its standard input. For every file it prints a JSON list: the path, whether the
message needs no advice, and the message. An empty message means that the file can be read. The program imports nothing of this
project, so it starts fast.

An HDF5 file can refer to other files by external and soft links, external storage and virtual data sets. A reader would open
them silently. So the process checks every link and every data set. It also reads every attribute and every text, and walks
every index of chunks, because a damaged file can send HDF5 into an endless loop there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import h5py

MOST_MEMBERS = 100_000
"""Largest number of groups and data sets in one file."""
DEEPEST = 8
"""Largest depth of nested groups."""
SECONDS = 5
"""Seconds of processor time for a file, and one more second for every `BYTES` of it."""
BYTES = 1 << 26


class RefusedFile(Exception):
    """A file that is refused. The message needs no further advice."""


def fault_of(path: str) -> tuple[bool, str] | None:
    """Find the fault of a file, as (whether the message needs no advice, message); None if it can be read.

    The library may hang or crash here.
    """
    try:
        with h5py.File(path, "r") as file:
            for member, where in _members(file):
                _look_at(member, where, os.path.getsize(path))
    except RefusedFile as error:
        return True, str(error)
    except Exception as error:
        return False, str(error) or type(error).__name__
    return None


def _members(file: h5py.File) -> Iterator[tuple[Any, str]]:
    """Yield the file, and every group and data set in it, each with its path."""
    left: list[tuple[h5py.Group, int]] = [(file, 0)]
    members = 0
    yield file, "/"
    while left:
        group, depth = left.pop()
        for name in group:
            members += 1
            if members > MOST_MEMBERS or depth > DEEPEST:
                raise RefusedFile("there are too many groups, or they are nested too deeply; expected a file of this project")
            where = f"{(group.name or '').rstrip('/')}/{name}"
            if not isinstance(_link(group, name), h5py.HardLink):
                raise RefusedFile(f"{where} is a link; expected data")
            member = group[name]
            if isinstance(member, h5py.Group):
                left.append((member, depth + 1))
            yield member, where


def _link(group: h5py.Group, name: str) -> Any:
    with suppress(TypeError):  # a kind of link that h5py does not know
        return group.get(name, getlink=True)
    return None


def _look_at(member: Any, where: str, size: int) -> None:
    """Refuse data in other files, and read everything that can hang. Other unreadable parts are left to the reader."""
    for name in member.attrs:
        with suppress(Exception):
            member.attrs[name]
    if not isinstance(member, h5py.Dataset):
        return
    settings = member.id.get_create_plist()
    if settings.get_layout() == h5py.h5d.VIRTUAL or settings.get_external_count():
        raise RefusedFile(f"the data of {where} lie in another file; expected them in this file")
    with suppress(Exception):
        if member.chunks is not None:
            member.id.get_num_chunks()
        if member.dtype.hasobject and (member.size or 0) <= size:
            member[()]


def _allow(seconds: float) -> None:
    """Allow this process a number of seconds of processor time. The system ends the process after that."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def main() -> None:
    """Check the files that the standard input names."""
    for path in json.load(sys.stdin):
        with suppress(OSError):
            _allow(SECONDS + os.path.getsize(path) / BYTES)
        print(json.dumps([path, *(fault_of(path) or (True, ""))]), flush=True)


if __name__ == "__main__":
    main()
