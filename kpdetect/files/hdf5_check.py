"""What a process of its own looks at in HDF5 files, so that it alone hangs or crashes: `python -P hdf5_check.py`.

It takes the paths as a JSON list on its standard input. It prints a JSON list for every file: the path, whether the words say
all, and the words; without words, the file can be read. It imports nothing of this project, so that it starts fast.

An HDF5 file can name other files: external and soft links, data stored outside, virtual data sets. A reader would open them
silently, whatever they are. So every link and every data set is looked at. Every attribute and every text is read, and every
index of chunks is walked: there a damaged file sends HDF5 around in circles.
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
"""Groups and data sets in one file."""
DEEPEST = 8
"""Groups inside each other."""
SECONDS = 5
"""Of processor time for a file, and one more for every `BYTES` of it."""
BYTES = 1 << 26


class RefusedFile(Exception):
    """The words say all that is to be said."""


def fault_of(path: str) -> tuple[bool, str] | None:
    """What is wrong with a file, and whether that says all; None where it can be read. The library may hang or crash here."""
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
    """Every group and data set of a file, itself first, with its path."""
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
    with suppress(TypeError):  # of a kind that h5py does not know
        return group.get(name, getlink=True)
    return None


def _look_at(member: Any, where: str, size: int) -> None:
    """Refuse data that lie elsewhere; read what can hang. What cannot be read is for the reader to say, who may not need it."""
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
    """Let this process go on for so many seconds of processor time; the system ends it after that."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def main() -> None:
    """Look at the files that the standard input names."""
    for path in json.load(sys.stdin):
        with suppress(OSError):
            _allow(SECONDS + os.path.getsize(path) / BYTES)
        print(json.dumps([path, *(fault_of(path) or (True, ""))]), flush=True)


if __name__ == "__main__":
    main()
