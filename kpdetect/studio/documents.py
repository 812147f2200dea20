"""Versions of files that two tabs, or a tab and a command, may change: of two saves the later is refused, and loses nothing."""

from __future__ import annotations

from pathlib import Path

from kpdetect.files.hashes import bytes_hash
from kpdetect.studio.call import ConflictError

NEW = "new"
"""Version of a file that is not there yet."""


def version_of(content: bytes | None) -> str:
    """The version of a document with this content; `NEW` for None."""
    return NEW if content is None else bytes_hash(content)


def file_version(path: Path) -> str:
    """The version of a file, whoever wrote it."""
    return version_of(path.read_bytes() if path.is_file() else None)


def require_version(what: str, given: str, found: str) -> None:
    """Check that a document is still as the page read it.

    Args:
        what: begins the message.
        given: version that the page read.
        found: version there is now.

    Raises:
        ConflictError: it was changed since.
    """
    if given != found:
        raise ConflictError(f"{what} was changed elsewhere since this page read it; nothing was saved")
