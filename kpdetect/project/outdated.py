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
            reason = f"the detector before round {number} has changed: round {number} and the later stages are made again"
            _discard(out, stage, reason)
            return


def discard_outdated_pupil(out: Path, number: int) -> None:
    """Delete a round and all later rounds if the predictions of its teacher have changed since."""
    folder = out / round_folder(number)
    if not (folder / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(folder / "pairs").facts.provenance.get("table") != file_hash(folder / FOUND / TABLE):
        reason = f"the predictions for round {number} have changed: round {number} and the later stages are made again"
        _discard(out, folder.name, reason, keep=(FOUND,))


def _discard(out: Path, first: str, reason: str, keep: tuple[str, ...] = ()) -> None:
    """Clear a stage except the files in `keep`, and all later stages. Start with the last one."""
    log.info(reason)
    stages = ["pairs", *detector_stages(out), "predictions"]
    for stage in reversed(stages[stages.index(first) :]):
        _clear(out / stage, keep if stage == first else ())


def _clear(folder: Path, keep: tuple[str, ...] = ()) -> None:
    """Empty the folder of a stage. Labels stay, because a user wrote them, and they record which weights they belong to."""
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
