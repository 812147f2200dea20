"""One writer per output folder.

A command holds a lock on `.kpdetect.lock` in its output folder. The system releases the lock when the process ends, however it
ends. Where a file system or a system has no such locks, commands do without.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from kpdetect.errors import OutputError
from kpdetect.files.atomic import output_error
from kpdetect.files.temporary import LOCK

TRIES = 20
_held: dict[Path, int] = {}
"""Handles of the locks of this process, by folder."""


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Be the only process that writes into a folder.

    The folder is made if it is missing, and removed again if nothing was written. A process that holds a folder may ask again.
    Of the processes of torchrun the first holds the lock for all; commands let the others begin once it does.

    Raises:
        OutputError: another process writes there, or the folder cannot be made.
    """
    place = Path(os.path.abspath(folder))
    if place in _held or int(os.environ.get("RANK", 0)) > 0:
        yield
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _acquire(folder)
    except OSError as error:
        raise output_error(folder, error) from error
    if handle is None:
        yield
        return
    _held[place] = handle
    try:
        yield
    finally:
        if _held.pop(place, None) == handle:  # a forked child has closed its own
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)  # before the lock is given up: the next process makes a new file
            os.close(handle)
            with suppress(OSError):  # not empty
                for path in made:
                    path.rmdir()


def _acquire(folder: Path) -> int | None:
    """A handle that holds the folder's lock; None where there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    for _ in range(TRIES):
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise _refusal(folder) from None
        except OSError:  # a file system without locks
            os.close(handle)
            (folder / LOCK).unlink(missing_ok=True)
            return None
        if _is_current(handle, folder / LOCK):
            _describe(handle)
            return handle
        os.close(handle)  # the holder before has removed this very file
    return None


def require_unlocked(folder: Path) -> None:
    """Refuse a folder that another process writes into; nothing is locked, and nothing is made.

    Raises:
        OutputError: naming the process.
    """
    if Path(os.path.abspath(folder)) in _held or int(os.environ.get("RANK", 0)) > 0:
        return
    with suppress(ImportError, FileNotFoundError, NotADirectoryError, PermissionError):
        import fcntl

        handle = os.open(folder / LOCK, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(folder) from None
        except OSError:
            return  # a file system without locks
        finally:
            os.close(handle)


def _refusal(folder: Path) -> OutputError:
    holder = _holder(folder / LOCK)
    return OutputError(f"{folder}: {holder} is writing there; wait until it ends or stop it, or give another folder")


def _is_current(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _describe(handle: int) -> None:
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    facts = {
        "process": os.getpid(),
        "machine": platform.node(),
        "command": " ".join(words)[:500],
        "since": datetime.now().isoformat(" ", "seconds"),
    }
    with suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(facts).encode("utf-8", "backslashreplace"), 0)


def _holder(path: Path) -> str:
    """Which process holds a lock, in words."""
    try:
        facts = json.loads(path.read_bytes()[:4096])
        elsewhere = "" if facts["machine"] == platform.node() else f" on {facts['machine']}"
        return f"process {int(facts['process'])}{elsewhere} ({facts['command']:.120}, since {facts['since']})"
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return "another process"


def _forget_in_child() -> None:
    """A forked child must not hold its parent's locks beyond the parent's end."""
    for handle in _held.values():
        with suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which other processes wait for; where the system has no such locks, do without."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
