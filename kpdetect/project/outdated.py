"""Stages of a project that were made from something that is different by now are removed, and made anew.

The last stage goes first: what an interrupted removal leaves is still seen to be outdated by the next command.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kpdetect.data.reader import ShardFolder
from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.detector.batches import is_live, pairs_key
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labels import LABELS
from kpdetect.inference.prediction_record import RECORD, read_prediction_record
from kpdetect.inference.predictions import TABLE
from kpdetect.messages import log
from kpdetect.training.checkpoints import (
    CHECKPOINT,
    REFINED,
    detector_stages,
    find_weights,
    last_detector,
    load_checkpoint,
    round_folder,
    round_number,
)
from kpdetect.training.data_key import first_stage_in

FOUND = "found"
"""Folder of a round of self-training that holds what its teacher found."""
LAST = (MANIFEST, CHECKPOINT, FOUND, "pairs")
"""By which a stage is seen to be outdated; removed after everything else, in this order."""


def discard_outdated(out: Path, provenance: dict[str, Any]) -> None:
    """Remove the later stages of a project whose generator was trained further since: they are made from the old one."""
    if not (out / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(out / "pairs").facts.provenance.get("generator") != provenance["generator"]:
        _discard(out, "pairs", "the generator has changed: pairs, detector and predictions are made anew")


def discard_outdated_detector(out: Path) -> None:
    """Remove the detector of a project, and what follows from it, when there are more or other pairs since it began."""
    checkpoint = out / "detector" / CHECKPOINT
    if not checkpoint.exists():
        return
    learned = str(load_checkpoint(checkpoint, "detector")["data"])
    if not is_live(learned) and learned != pairs_key(ShardFolder(out / "pairs")):
        _discard(out, "detector", "the pairs have changed: detectors and predictions are made anew")


def discard_outdated_refinement(out: Path) -> None:
    """Remove the second stage of a project whose detector was trained further since it began."""
    checkpoint = out / REFINED / CHECKPOINT
    if not checkpoint.exists():
        return
    began_with = first_stage_in(str(load_checkpoint(checkpoint, "detector")["data"]))
    if began_with != file_hash(find_weights(out / "detector", "detector")):
        _discard(out, REFINED, "the detector has changed: its second stage and what follows are made anew")


def discard_outdated_rounds(out: Path) -> None:
    """Remove the rounds of self-training of a project from the first one on whose teacher is another by now."""
    for stage in detector_stages(out):
        record = out / stage / FOUND / RECORD
        if (number := round_number(stage)) is None or not record.exists():
            continue
        if read_prediction_record(record.parent).model != file_hash(last_detector(out, before=number)):
            _discard(out, stage, f"the detector before round {number} has changed: it and what follows are made anew")
            return


def discard_outdated_pupil(out: Path, number: int) -> None:
    """Remove what a round, and what follows, learned from keypoints that are not those its teacher finds by now."""
    folder = out / round_folder(number)
    if not (folder / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(folder / "pairs").facts.provenance.get("table") != file_hash(folder / FOUND / TABLE):
        told = f"what round {number} is taught has changed: it and what follows are made anew"
        _discard(out, folder.name, told, keep=(FOUND,))


def _discard(out: Path, first: str, told: str, keep: tuple[str, ...] = ()) -> None:
    """Clear a stage, but for what is to be kept of it, and those after it; the last one first."""
    log.info(told)
    stages = ["pairs", *detector_stages(out), "predictions"]
    for stage in reversed(stages[stages.index(first) :]):
        _clear(out / stage, keep if stage == first else ())


def _clear(folder: Path, keep: tuple[str, ...] = ()) -> None:
    """Empty a stage's folder; labels stay, for somebody gave them by hand and they tell that they are for other weights."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir(), key=lambda path: LAST.index(path.name) if path.name in LAST else -1):
        if path.name in (LABELS, *keep):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if round_number(folder.name) is not None and not any(folder.iterdir()):
        folder.rmdir()
