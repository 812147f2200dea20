"""HDF5 files of others, looked at by another process first: a damaged one can keep the library going round for ever.

Each file is looked at once: what was found is kept for as long as the file stays as it is. Files that this process wrote itself
are taken as they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.files import hdf5_check

LONGEST = 600
"""Seconds for all of the files; processor time is bounded far below, see `hdf5_check.SECONDS`."""
FAILED = 1
"""Exit status of a process whose Python raises."""
HANGS = "the HDF5 library neither reads nor refuses it"


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file.

    Attributes:
        words: that say so.
        whole: whether they say what to do too.
    """

    words: str
    whole: bool


_Stamp = tuple[int, int, int, int]
_known: dict[_Stamp, Fault | None] = {}


def _stamp(path: Path) -> _Stamp:
    facts = os.stat(path)
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def written_here(path: Path) -> None:
    """Note that this process wrote a file; nobody needs to look at it."""
    with suppress(OSError):
        _known[_stamp(path)] = None


def fault_of(path: Path) -> Fault | None:
    """What is wrong with a file, None where it can be opened.

    Raises:
        OSError: the system does not give the file.
        InputError: no file can be looked at.
    """
    stamp = _stamp(path)
    look_at([path])
    return _known.get(stamp, Fault("changes while it is read", False))


def look_at(paths: Iterable[Path]) -> None:
    """Look at many files at once, which costs little more than at one.

    Raises:
        OSError: the system does not give a file.
        InputError: no file can be looked at.
    """
    stamps = {os.fspath(path.absolute()): _stamp(path) for path in paths}
    left = [path for path, stamp in stamps.items() if stamp not in _known]
    while left:
        faults = _faults(left)
        _known.update((stamps[path], fault) for path, fault in faults.items())
        left = left[len(faults) :]


def _faults(paths: list[str]) -> dict[str, Fault | None]:
    """What another process finds in files, up to the one at which it ends."""
    output, ended = _output(json.dumps(paths).encode())
    lines = [json.loads(line) for line in output.splitlines()]
    faults = {path: Fault(words, whole) if words else None for path, whole, words in lines}
    if len(faults) < len(paths):
        if ended == FAILED:
            raise InputError(
                f"{paths[len(faults)]}: no process can be started to check this file; "
                f"run `{sys.executable} -c 'import h5py'`, and check whether memory is short"
            )
        faults[paths[len(faults)]] = Fault(HANGS, False)
    return faults


def _output(paths: bytes) -> tuple[bytes, int | None]:
    """What the process writes, and its exit status; None where it did not end."""
    command = [sys.executable, "-P", os.fspath(Path(hdf5_check.__file__))]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    try:
        done = subprocess.run(command, input=paths, stdout=pipe, stderr=nowhere, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired as expired:
        return expired.stdout or b"", None
    return done.stdout, done.returncode
