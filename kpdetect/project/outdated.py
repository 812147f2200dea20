"""Remove the results of stages whose inputs have changed, so that these stages run again.

The results of the last stage are removed first. If the removal is interrupted, the next command still recognises the remaining
results as outdated.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.learned import is_live, pairs_key
from kpdetect.errors import CheckpointError
from kpdetect.files.hashes import file_hash
from kpdetect.inference.corrections import TABLE as CORRECTIONS
from kpdetect.inference.labels import LABELS
from kpdetect.inference.prediction_record import RECORD, read_prediction_head
from kpdetect.inference.predictions import TABLE
from kpdetect.messages import log
from kpdetect.training.checkpoints import (
    CHECKPOINT,
    REFINED,
    WEIGHTS,
    detector_stages,
    find_weights,
    load_checkpoint,
    round_folder,
    round_number,
)
from kpdetect.training.data_key import first_stage_in

CORRESPONDENCE = "correspondence"
"""Folder of a project with the keypoints that the method `correspondence` found."""
FOUND = "found"
"""Folder with the predictions of the teacher, in the folder of a round of self-training."""
LAST = (MANIFEST, CHECKPOINT, FOUND, "pairs")
"""Files that show that the results of a stage are outdated. They are removed last, in this order."""


def discard_outdated(out: Path, provenance: dict[str, Any]) -> None:
    """Delete the generated pairs and all later results if the generator was trained further after it drew them."""
    if not (out / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(out / "pairs").facts.provenance.get("generator") != provenance["generator"]:
        _discard(out, "pairs", "the generator has changed: pairs, detector and predictions are made again")


def discard_outdated_matches(out: Path) -> None:
    """Delete the pairs and all later results if the keypoints of the method `correspondence` have changed since."""
    if not (out / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(out / "pairs").facts.provenance.get("table") != file_hash(out / CORRESPONDENCE / TABLE):
        _discard(out, "pairs", "the matched keypoints have changed: pairs, detector and predictions are made again")


def discard_outdated_detector(out: Path) -> None:
    """Delete the detector and all later results if the pairs have changed since its training began."""
    checkpoint = out / "detector" / CHECKPOINT
    if not checkpoint.exists():
        return
    learned = str(load_checkpoint(checkpoint, "detector")["data"])
    if not is_live(learned) and learned != pairs_key(ShardFolder(out / "pairs")):
        _discard(out, "detector", "the pairs have changed: detectors and predictions are made again")


def discard_outdated_refinement(out: Path) -> None:
    """Delete the refined detector and all later results if it was refined from an earlier state of the detector."""
    checkpoint = out / REFINED / CHECKPOINT
    if not checkpoint.exists():
        return
    began_with = first_stage_in(str(load_checkpoint(checkpoint, "detector")["data"]))
    if began_with != file_hash(find_weights(out / "detector", "detector")):
        _discard(out, REFINED, "the detector has changed: the refined detector and the later stages are made again")


def discard_outdated_rounds(out: Path) -> None:
    """Delete a round of self-training and all later results if its teacher has changed since the round began."""
    for stage in detector_stages(out):
        record = out / stage / FOUND / RECORD
        if (number := round_number(stage)) is None or not record.exists():
            continue
        if read_prediction_head(record.parent).model != file_hash(last_detector(out, before=number)):
            reason = f"the detector before round {number} has changed: round {number} and the later stages are made again"
            _discard(out, stage, reason)
            return


def last_detector(project: Path, *, before: int) -> Path:
    """Find the weights file of the last detector that a project trained before a round of self-training.

    Raises:
        CheckpointError: there is no such detector.
    """
    for stage in reversed(detector_stages(project)):
        weights = project / stage / WEIGHTS
        if weights.is_file() and (round_number(stage) or 0) < before:
            return weights
    raise CheckpointError(f"{project}: no trained detector here; run `kpdetect run` first")


def discard_outdated_pupil(out: Path, number: int) -> None:
    """Delete round `number` of self-training and all later results if its teacher's predictions have changed.

    The predictions themselves are kept.
    """
    folder = out / round_folder(number)
    if not (folder / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(folder / "pairs").facts.provenance.get("table") != file_hash(folder / FOUND / TABLE):
        reason = f"the predictions for round {number} have changed: round {number} and the later stages are made again"
        _discard(out, folder.name, reason, keep=(FOUND,))


def _discard(out: Path, first: str, reason: str, keep: tuple[str, ...] = ()) -> None:
    """Delete the results of the stage `first`, except the files in `keep`, and of all later stages, the last one first."""
    log.info(reason)
    stages = ["pairs", *detector_stages(out), "predictions"]
    for stage in reversed(stages[stages.index(first) :]):
        _clear(out / stage, keep if stage == first else ())
    if (corrections := out / "predictions" / CORRECTIONS).exists():
        log.info(f"{corrections} is kept: the keypoints that a person checked")


def _clear(folder: Path, keep: tuple[str, ...] = ()) -> None:
    """Delete the contents of a stage's folder, except those in `keep`, the labels and the corrections, which a user wrote."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir(), key=lambda path: LAST.index(path.name) if path.name in LAST else -1):
        if path.name in (LABELS, CORRECTIONS, *keep):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if round_number(folder.name) is not None and not any(folder.iterdir()):
        folder.rmdir()
