"""Names of files that are being written. Each names its process, so that what a killed process left can be removed."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
from contextlib import suppress
from itertools import count
from pathlib import Path

PREFIX, LOCK = ".kpdetect-", ".kpdetect.lock"
"""How names of files that are being written begin, and the name of the lock of a folder (`kpdetect.files.lock`)."""
_PATTERN = re.compile(re.escape(PREFIX) + r"(?P<host>[0-9a-f]{6})-(?P<pid>\d+)-(?P<token>[0-9a-f]{8})-\d+\.part(\.\w+)?")
_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_numbers = count()
_tokens: dict[int, str] = {}
_swept: set[Path] = set()


def _token() -> str:
    """Of this process alone: a container's process number may be that of the container before it."""
    return _tokens.setdefault(os.getpid(), secrets.token_hex(4))


def temporary_name(path: Path, ending: str = ".part") -> Path:
    """A name in the folder of `path` that no other process and no other call uses.

    Args:
        path: final name; its length does not matter.
        ending: `.part`, or with a file type behind it for a library that goes by that.
    """
    return path.with_name(f"{PREFIX}{_HOST}-{os.getpid()}-{_token()}-{next(_numbers)}{ending}")


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left half written in a folder; looks once per folder and process."""
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if entry.name.startswith(PREFIX)]:
            if (match := _PATTERN.fullmatch(name)) and match["host"] == _HOST and _is_left(int(match["pid"]), match["token"]):
                with suppress(OSError):
                    (folder / name).unlink()


def _is_left(process: int, token: str) -> bool:
    """Whether no process writes the file any more."""
    return token != _token() if process == os.getpid() else not is_alive(process)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine; where that cannot be asked, it is taken to."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
