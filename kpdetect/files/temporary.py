"""Temporary names of unfinished files. A name identifies its process, so that files of a killed process can be removed."""

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
"""Beginning of the names of unfinished files, and name of a folder's lock file (`kpdetect.files.lock`)."""
_PATTERN = re.compile(re.escape(PREFIX) + r"(?P<host>[0-9a-f]{6})-(?P<pid>\d+)-(?P<token>[0-9a-f]{8})-\d+\.part(\.\w+)?")
_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_numbers = count()
_tokens: dict[int, str] = {}
_swept: set[Path] = set()


def _token() -> str:
    """Return a token that identifies this process. The process number is not enough, because containers may reuse it."""
    return _tokens.setdefault(os.getpid(), secrets.token_hex(4))


def temporary_name(path: Path, ending: str = ".part") -> Path:
    """Make a path in the folder of `path` that no other process and no other call uses.

    Args:
        path: final path. Its name may have any length.
        ending: `.part`, followed by a file type if a library chooses the file format by the ending.
    """
    return path.with_name(f"{PREFIX}{_HOST}-{os.getpid()}-{_token()}-{next(_numbers)}{ending}")


def sweep(folder: Path) -> None:
    """Remove unfinished files that killed processes of this machine left in a folder. A process does this once per folder."""
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if entry.name.startswith(PREFIX)]:
            if (match := _PATTERN.fullmatch(name)) and match["host"] == _HOST and _is_left(int(match["pid"]), match["token"]):
                with suppress(OSError):
                    (folder / name).unlink()


def _is_left(process: int, token: str) -> bool:
    """Tell whether the process that wrote an unfinished file has ended."""
    return token != _token() if process == os.getpid() else not is_alive(process)


def is_alive(process: int) -> bool:
    """Tell whether a process with this number is running on this machine. If the system cannot tell, return True."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # the process runs, and belongs to another user
        return True
    return True
