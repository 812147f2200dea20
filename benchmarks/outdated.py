"""Stages of a project that were made from something that is different by now are removed, and made anew.

The last stage goes first: what an interrupted removal leaves is still seen to be outdated by the next command.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from kpdetect.checkpoints import REFINED, find_weights, load_checkpoint
from kpdetect.data.reader import ShardFolder
from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.detector.shards import LIVE, pairs_key
from kpdetect.files import file_hash
from kpdetect.inference.labels import LABELS

AFTER_DETECTOR = ("predictions", REFINED)
AFTER_PAIRS = (*AFTER_DETECTOR, "detector")
AFTER_GENERATOR = (*AFTER_PAIRS, "pairs")
LAST = (MANIFEST, "checkpoint.pt")
"""Files by which a stage is seen to be outdated."""


def discard_outdated(out: Path, provenance: dict[str, Any]) -> None:
    """Remove the later stages of a project whose generator was trained further since: they are made from the old one."""
    if not (out / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(out / "pairs").facts.provenance.get("generator") != provenance["generator"]:
        _discard(out, AFTER_GENERATOR, "the generator has changed: pairs, detector and predictions are made anew")


def discard_outdated_detector(out: Path) -> None:
    """Remove the detector of a project, and what follows from it, when there are more or other pairs since it began."""
    checkpoint = out / "detector" / "checkpoint.pt"
    if not checkpoint.exists():
        return
    learned = str(load_checkpoint(checkpoint, "detector")["data"])
    if not learned.startswith(LIVE) and learned != pairs_key(ShardFolder(out / "pairs")):
        _discard(out, AFTER_PAIRS, "the pairs have changed: detector, second stage and predictions are made anew")


def discard_outdated_refinement(out: Path) -> None:
    """Remove the second stage of a project whose detector was trained further since it began."""
    checkpoint = out / REFINED / "checkpoint.pt"
    if not checkpoint.exists():
        return
    began_with = str(load_checkpoint(checkpoint, "detector")["data"]).split("/")[1]
    if began_with != file_hash(find_weights(out / "detector", "detector")):
        _discard(out, AFTER_DETECTOR, "the detector has changed: its second stage and predictions are made anew")


def _discard(out: Path, stages: tuple[str, ...], told: str) -> None:
    print(told, file=sys.stderr)
    for stage in stages:
        _clear(out / stage)


def _clear(folder: Path) -> None:
    """Empty a stage's folder; labels stay, for somebody gave them by hand and they tell that they are for other weights."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir(), key=lambda path: path.name in LAST):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LABELS:
            path.unlink()
