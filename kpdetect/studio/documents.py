"""Versions of files that two browser tabs, or a tab and a command, may change at once.

A page that saves a file sends the version that it read. If the file has changed since, the save is refused and nothing is
lost."""

from __future__ import annotations

from pathlib import Path

from kpdetect.files.hashes import bytes_hash
from kpdetect.studio.request import ConflictError

NEW = "new"
"""Version of a file that does not exist."""


def version_of(content: bytes | None) -> str:
    """Compute the version of a document from its content; `NEW` if the content is None."""
    return NEW if content is None else bytes_hash(content)


def file_version(path: Path) -> str:
    """Compute the version of a file."""
    return version_of(path.read_bytes() if path.is_file() else None)


def require_version(what: str, given: str, found: str) -> None:
    """Check that a document has not changed since the page read it.

    Args:
        what: name of the document. The error message begins with it.
        given: the version that the page read.
        found: the present version.

    Raises:
        ConflictError: the versions differ.
    """
    if given != found:
        raise ConflictError(f"{what} was changed elsewhere since this page read it; nothing was saved")
