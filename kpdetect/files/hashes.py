"""Short hashes that identify files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_hash(path: Path) -> str:
    """Compute the first 16 hexadecimal digits of the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def bytes_hash(content: bytes) -> str:
    """Compute the hash that `file_hash` returns for a file with these bytes."""
    return hashlib.sha256(content).hexdigest()[:16]
