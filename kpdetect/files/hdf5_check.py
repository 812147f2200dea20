"""A program that checks HDF5 files: `python -P hdf5_check.py`. It runs in a separate process, which may hang or crash.

The program reads the paths as a JSON list from its standard input. For every file it prints a JSON list of the path, whether
the message is complete without advice, and the message. An empty message means that the file can be read. The program imports
nothing of this project, so it starts fast.

An HDF5 file can refer to other files by external and soft links, external storage and virtual data sets. HDF5 would open those
silently. So the program checks every link and every data set. It also reads every attribute, every text and every index of
chunks, because a damaged one can send HDF5 into an endless loop."""

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
"""Largest depth to which groups may be nested."""
SECONDS = 5
"""Limit of processor time for a file, in seconds. One second is added for every `BYTES` bytes of the file."""
BYTES = 1 << 26


class RefusedFile(Exception):
    """The error for a file that is refused. Its message is complete without advice."""


def fault_of(path: str) -> tuple[bool, str] | None:
    """Find the fault of a file. The HDF5 library may hang or crash here.

    Returns:
        Whether the message is complete without advice, and the message; None if the file can be read.
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
    """Yield the file, and every group and data set in it, each with its path inside the file."""
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
    """Refuse a member whose data lie in other files, and read every part that could make HDF5 hang.

    Other unreadable parts are not checked, because they raise an ordinary error when they are read.
    """
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
    """Limit this process to a number of seconds of processor time. After that the system ends the process."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def main() -> None:
    """Check the files whose paths the standard input lists."""
    for path in json.load(sys.stdin):
        with suppress(OSError):
            _allow(SECONDS + os.path.getsize(path) / BYTES)
        print(json.dumps([path, *(fault_of(path) or (True, ""))]), flush=True)


if __name__ == "__main__":
    main()
