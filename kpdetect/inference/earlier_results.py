"""Whether results in a folder are those that a command would make."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kpdetect.errors import InputError
from kpdetect.files.names import shown
from kpdetect.images.levels import current_levels
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.formats.choice import WRITTEN
from kpdetect.inference.prediction_record import RECORD, read_prediction_record
from kpdetect.inference.predictions import TABLE
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.second_pass import border

OVERLAYS, OVERLAY = PICTURES = ("overlays", "overlay.mp4")
"""Pictures of images, and the film of a video."""


def stage_of(predictor: Predictor, config: PredictConfig, source: Path | int, files: Iterable[Path]) -> dict[str, Any]:
    """What decides a result: weights, labels, settings and inputs (name, size and time of change)."""
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat() if file.exists() else None  # a dangling link is skipped later, with its name
        state = "missing" if facts is None else f"{facts.st_size}\t{facts.st_mtime_ns}"
        digest.update(f"{file}\t{state}\n".encode(errors="surrogateescape"))
    return {
        "model": predictor.hash,
        "labels": predictor.labels.model_dump(mode="json", exclude={"weights"}),
        "settings": config.choices() | {"margin": border(config, predictor.description), "levels": current_levels().text},
        "source": shown(str(source if isinstance(source, int) else source.resolve())),
        "inputs": digest.hexdigest()[:16],
    }


def is_finished(folder: Path, stage: dict[str, Any]) -> bool:
    """Whether `folder` holds complete predictions of exactly this stage."""
    if not (folder / RECORD).exists() or not (folder / TABLE).exists():
        return False
    record = read_prediction_record(folder).content
    return all(record.get(key) == value for key, value in stage.items())


def clear(folder: Path, stage: dict[str, Any]) -> None:
    """Remove pictures and other tools' files of predictions of another stage: beside new ones nobody could tell them apart."""
    if not (folder / RECORD).exists() or is_finished(folder, stage):
        return
    for name in (*PICTURES, *WRITTEN):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def skipped_before(folder: Path, *, strict: bool) -> dict[str, str]:
    """What could not be read when the finished predictions in `folder` were made, and why.

    Raises:
        InputError: there is something, and `strict` wants none.
    """
    skipped = read_prediction_record(folder).skipped
    if strict and skipped:
        raise InputError(next(iter(skipped.values())))
    return skipped
