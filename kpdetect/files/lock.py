"""A lock, so that only one process writes into an output folder.

A command locks the file `.kpdetect.lock` in its output folder. The system releases the lock when the process ends, even if it
is killed. Where the system or file system has no such locks, commands work without them."""

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
"""File handles of the locks of this process, by folder."""


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Lock a folder, so that only this process writes into it.

    A missing folder is created, and removed again if nothing is written into it. A process may lock the same folder several
    times. Under torchrun the first process holds the lock for all processes. The others start after it has the lock.

    Raises:
        OutputError: another process writes there, or the folder cannot be created.
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
        if _held.pop(place, None) == handle:  # in a forked child the handle is closed already
            with suppress(OSError):
                (folder / LOCK).unlink(
                    missing_ok=True
                )  # before the lock is released, so that the next process creates a new file
            os.close(handle)
            with suppress(OSError):  # not empty
                for path in made:
                    path.rmdir()


def _acquire(folder: Path) -> int | None:
    """Lock a folder and return the file handle of the lock; None on a system without locks."""
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
        os.close(handle)  # the previous holder has removed this file
    return None


def require_unlocked(folder: Path) -> None:
    """Refuse a folder into which another process is writing. Nothing is locked or created.

    Raises:
        OutputError: another process writes there. The message names it.
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
    holder = {
        "process": os.getpid(),
        "machine": platform.node(),
        "command": " ".join(words)[:500],
        "since": datetime.now().isoformat(" ", "seconds"),
    }
    with suppress(OSError):  # the lock works without this text, for example on a full disk
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode("utf-8", "backslashreplace"), 0)


def _holder(path: Path) -> str:
    """Describe the process that holds a lock."""
    try:
        holder = json.loads(path.read_bytes()[:4096])
        elsewhere = "" if holder["machine"] == platform.node() else f" on {holder['machine']}"
        return f"process {int(holder['process'])}{elsewhere} ({holder['command']:.120}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return "another process"


def _forget_in_child() -> None:
    """Close the parent's locks in a forked child. Otherwise the child would hold them after the parent has ended."""
    for handle in _held.values():
        with suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder during a `with` block. Other processes wait for it. On a system without locks, do nothing."""
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
