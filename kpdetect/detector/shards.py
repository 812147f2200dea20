"""Folders of shards that a detector can learn from, and how two of them are told apart."""

from __future__ import annotations

from pathlib import Path

from kpdetect.data.reader import ShardFolder
from kpdetect.errors import InputError

LIVE = "live/"
"""How the key of pairs that are drawn live begins."""
MIN_PAIRS = 2
"""One to hold out and one to learn from."""


def open_pairs(pairs: Path, keypoints: int | None = None) -> ShardFolder:
    """A folder of shards that a detector can learn from.

    Args:
        pairs: folder of shards.
        keypoints: K that the pairs must have; any unless given.

    Raises:
        InputError: the images are not square, there are too few, or K is another.
        ShardError: damaged.
    """
    folder = ShardFolder(pairs)
    height, width = folder.facts.size
    if height != width:
        raise InputError(f"{folder.folder}: pairs of {width}x{height} pixels (width x height); expected square ones")
    if len(folder) < MIN_PAIRS:
        raise InputError(
            f"{folder.folder}: {len(folder)} pair; expected at least {MIN_PAIRS}, thousands to learn well; generate more"
        )
    if keypoints not in (None, folder.facts.keypoints):
        raise InputError(
            f"{folder.folder}: pairs of {folder.facts.keypoints} keypoints; the detector has {keypoints}; "
            "give the pairs that it was trained on"
        )
    return folder


def pairs_key(folder: ShardFolder) -> str:
    """Differs when the pairs of a folder do."""
    return f"{len(folder)}/{'/'.join(shard.sha256 for shard in folder.manifest.shards)}"
