"""The image-keypoint pairs that a detector is trained on.

They come from a folder of shards, or from a source that draws them during the training. A text, the key, identifies them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpdetect.data.shard_folder import ShardFolder
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
        keypoints: number of keypoints that the pairs must have. None: any number.

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
    """Make the key of pairs that are drawn during the training. Different sources have different keys."""
    return f"{LIVE}{json.dumps(provenance, sort_keys=True)}"


def is_live(key: str) -> bool:
    """Tell whether a key belongs to pairs that are drawn during the training, see `live_key`."""
    return key.startswith(LIVE)


def pairs_key(folder: ShardFolder) -> str:
    """Make the key of the pairs in a folder. Different pairs have different keys."""
    return f"{len(folder)}/{'/'.join(shard.sha256 for shard in folder.manifest.shards)}"


@dataclass(frozen=True, kw_only=True)
class LearnedFrom:
    """A description of the pairs that a detector is trained on.

    Attributes:
        size: (height, width) of the images.
        keypoints: number of keypoints of each pair.
        provenance: the model and settings that made the pairs.
        pairs: number of pairs; None if they are drawn during the training.
        key: text that identifies the pairs, see `pairs_key` and `live_key`.
        sources: folder with `sources.csv`, the list of the real images that the pairs were made from.
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
