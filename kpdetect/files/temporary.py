"""Names of unfinished files. A name contains its process, so that files of a killed process can be removed."""

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
"""Beginning of the names of unfinished files, and name of the lock of a folder (`kpdetect.files.lock`)."""
_PATTERN = re.compile(re.escape(PREFIX) + r"(?P<host>[0-9a-f]{6})-(?P<pid>\d+)-(?P<token>[0-9a-f]{8})-\d+\.part(\.\w+)?")
_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_numbers = count()
_tokens: dict[int, str] = {}
_swept: set[Path] = set()


def _token() -> str:
    """Make a token of this process. A process number is not enough, because containers may reuse it."""
    return _tokens.setdefault(os.getpid(), secrets.token_hex(4))


def temporary_name(path: Path, ending: str = ".part") -> Path:
    """Make a name in the folder of `path` that no other process and no other call uses.

    Args:
        path: final name, of any length.
        ending: `.part`, followed by a file type if a library chooses the format by it.
    """
    return path.with_name(f"{PREFIX}{_HOST}-{os.getpid()}-{_token()}-{next(_numbers)}{ending}")


def sweep(folder: Path) -> None:
    """Remove unfinished files of killed processes of this machine from a folder. A process does this once per folder."""
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if entry.name.startswith(PREFIX)]:
            if (match := _PATTERN.fullmatch(name)) and match["host"] == _HOST and _is_left(int(match["pid"]), match["token"]):
                with suppress(OSError):
                    (folder / name).unlink()


def _is_left(process: int, token: str) -> bool:
    """Tell whether no process writes the file any more."""
    return token != _token() if process == os.getpid() else not is_alive(process)


def is_alive(process: int) -> bool:
    """Tell whether a process with this number runs on this machine. If the system cannot tell, assume that it runs."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # a process of another user
        return True
    return True
