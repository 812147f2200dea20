"""The pairs that a detector is trained on: folders of shards that can be used, texts that tell them apart, and batches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpdetect.data.reader import ShardFolder
from kpdetect.detector.batches import Batches, LiveBatches, PairBatches
from kpdetect.detector.config import DetectorConfig
from kpdetect.errors import InputError
from kpdetect.pairs import PairSource

LIVE = "live/"
"""Beginning of the key of pairs that are drawn during the training."""
MIN_PAIRS = 2
"""Smallest number of pairs: one is held out, and one is trained on."""


def open_pairs(pairs: Path, keypoints: int | None = None) -> ShardFolder:
    """Open a folder of shards that a detector can be trained on.

    Args:
        pairs: folder of shards.
        keypoints: K that the pairs must have; any K by default.

    Raises:
        InputError: the images are not square, there are too few pairs, or K differs.
        ShardError: a shard is damaged.
    """
    folder = ShardFolder(pairs)
    height, width = folder.facts.size
    if height != width:
        raise InputError(f"{folder.folder}: got pairs of {width}x{height} pixels (width x height), expected square images")
    if len(folder) < MIN_PAIRS:
        raise InputError(
            f"{folder.folder}: got {len(folder)} pair, expected at least {MIN_PAIRS}, better thousands; generate more"
        )
    if keypoints not in (None, folder.facts.keypoints):
        raise InputError(
            f"{folder.folder}: got pairs of {folder.facts.keypoints} keypoints, expected {keypoints} as in the detector; "
            "give the pairs that the detector was trained on"
        )
    return folder


def live_key(provenance: dict[str, Any]) -> str:
    """Make the key of pairs that are drawn during the training. It differs for different sources."""
    return f"{LIVE}{json.dumps(provenance, sort_keys=True)}"


def is_live(key: str) -> bool:
    """Tell whether a key is from `live_key`."""
    return key.startswith(LIVE)


def pairs_key(folder: ShardFolder) -> str:
    """Make the key of a folder of pairs. It differs for different pairs."""
    return f"{len(folder)}/{'/'.join(shard.sha256 for shard in folder.manifest.shards)}"


@dataclass(frozen=True, kw_only=True)
class LearnedFrom:
    """A description of the pairs that a detector is trained on.

    Attributes:
        size: (height, width) of the images.
        keypoints: K.
        provenance: the model and settings that made the pairs.
        pairs: number of pairs; None if they are drawn during the training.
        key: text that differs for different pairs.
        sources: folder with the list of real images behind the pairs.
    """

    size: tuple[int, int]
    keypoints: int
    provenance: dict[str, Any]
    pairs: int | None
    key: str
    sources: Path


def learn_from(pairs: ShardFolder | PairSource, sources: Path, config: DetectorConfig) -> tuple[Batches, LearnedFrom]:
    """Open the batches of a folder of shards or of a source of pairs, and describe the pairs."""
    if isinstance(pairs, ShardFolder):
        batches: Batches = PairBatches(pairs, config.batch, config.held_out, config.augment, config.seed)
        count, key, facts = len(pairs), pairs_key(pairs), pairs.facts
        size, keypoints, provenance = facts.size, facts.keypoints, facts.provenance
    else:
        batches, count = LiveBatches(pairs, config.batch, config.augment, config.seed), None
        size, keypoints, provenance, key = pairs.size, pairs.keypoints, pairs.provenance, live_key(pairs.provenance)
    return batches, LearnedFrom(size=size, keypoints=keypoints, provenance=provenance, pairs=count, key=key, sources=sources)
