"""Check HDF5 files in a separate process before they are opened. A damaged file can make the HDF5 library hang or crash.

Each file is checked once, and again if it changes. Files that this process has written are not checked.
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
"""Time limit of the checking process, in seconds. Each file has a lower limit (`hdf5_check.SECONDS`)."""
FAILED = 1
"""Exit status of a Python process that ends with an exception."""
HANGS = "the HDF5 library hangs or crashes when it reads this file"


@dataclass(frozen=True)
class Fault:
    """The fault of a file.

    Attributes:
        words: description of the fault.
        whole: whether the description is complete without advice.
    """

    words: str
    whole: bool


_Stamp = tuple[int, int, int, int]
_known: dict[_Stamp, Fault | None] = {}


def _stamp(path: Path) -> _Stamp:
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def written_here(path: Path) -> None:
    """Remember that this process has written a file, so that the file is not checked."""
    with suppress(OSError):
        _known[_stamp(path)] = None


def fault_of(path: Path) -> Fault | None:
    """Find the fault of a file; None if the file can be opened safely.

    Raises:
        OSError: the system refuses access to the file.
        InputError: the checking process cannot be started.
    """
    stamp = _stamp(path)
    look_at([path])
    return _known.get(stamp, Fault("the file changes while it is read", False))


def look_at(paths: Iterable[Path]) -> None:
    """Check many files at once in one separate process, which takes little longer than checking one file.

    The results are kept for later calls of `fault_of`.

    Raises:
        OSError: the system refuses access to a file.
        InputError: the checking process cannot be started.
    """
    stamps = {os.fspath(path.absolute()): _stamp(path) for path in paths}
    left = [path for path, stamp in stamps.items() if stamp not in _known]
    while left:
        faults = _faults(left)
        _known.update((stamps[path], fault) for path, fault in faults.items())
        left = left[len(faults) :]


def _faults(paths: list[str]) -> dict[str, Fault | None]:
    """Check files in a separate process, until it ends. Return the faults by path, up to the file at which it ended."""
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
    """Run the checking process. Return its output and its exit status; None if it did not end in time."""
    command = [sys.executable, "-P", os.fspath(Path(hdf5_check.__file__))]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    try:
        done = subprocess.run(command, input=paths, stdout=pipe, stderr=nowhere, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired as expired:
        return expired.stdout or b"", None
    return done.stdout, done.returncode
