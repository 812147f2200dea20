"""Short hashes that identify files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kpdetect.files.archives.members import content_of


def file_hash(path: Path) -> str:
    """Compute the first 16 hexadecimal digits of the SHA-256 of the bytes of a file or of an image in an archive."""
    if (content := content_of(path)) is not None:
        return bytes_hash(content)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def bytes_hash(content: bytes) -> str:
    """Compute the hash that `file_hash` returns for a file with these bytes."""
    return hashlib.sha256(content).hexdigest()[:16]
