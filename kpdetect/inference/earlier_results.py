"""Whether results in a folder are those that a command would make."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kpdetect.data.derived import adopt, discard, recorded, rewritten
from kpdetect.errors import FormatError, InputError
from kpdetect.files.names import shown
from kpdetect.images.levels import current_levels
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.formats.choice import FILES, FORMATS, kind_of
from kpdetect.inference.prediction_record import RECORD, read_prediction_record
from kpdetect.inference.predictions import TABLE
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.second_pass import border

OVERLAYS, OVERLAY = "overlays", "overlay.mp4"
"""Folder of the pictures of images, and the film of a video."""
PICTURES = "pictures"
"""Either, in the record of derived files."""


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


@contextmanager
def pictures_of(folder: Path, stage: dict[str, Any], names: Collection[str]) -> Iterator[None]:
    """Draw the pictures of new predictions of a stage.

    What earlier calls made of other predictions goes first: nobody could tell it from the new. Of that, the record that says
    that they are finished goes before everything else. Only files that `kpdetect.data.derived` has on record are removed.

    Args:
        folder: of the predictions.
        stage: of the new ones.
        names: of all pictures, relative to the folder.

    Raises:
        OutputError: the folder cannot be written.
        FormatError: a record is damaged.
    """
    if not is_finished(folder, stage):
        _adopt(folder)
        (folder / RECORD).unlink(missing_ok=True)
        discard(folder, (PICTURES, *map(kind_of, FORMATS)))
    with rewritten(folder, PICTURES, names):
        yield


def _adopt(folder: Path) -> None:
    """Put into the record what version 0.1.0, which kept none, wrote beside its predictions."""
    if recorded(folder) or not (folder / RECORD).exists():
        return
    try:
        images = list(read_prediction_record(folder).sizes or ())
    except FormatError:
        return
    stems = [Path(image).with_suffix("").as_posix() for image in images]
    drawn = [f"{OVERLAYS}/{name}.png" for name in (*stems, *images)]
    labels = [f"yolo/{kind}/{stem}.txt" for kind in ("labels", "confidence") for stem in stems]
    fixed = [OVERLAY, "yolo/data.yaml", *(name for names in FILES.values() for name in names)]
    adopt(folder, PICTURES, [*fixed, *drawn, *labels])


def skipped_before(folder: Path, *, strict: bool) -> dict[str, str]:
    """What could not be read when the finished predictions in `folder` were made, and why.

    Raises:
        InputError: there is something, and `strict` wants none.
    """
    skipped = read_prediction_record(folder).skipped
    if strict and skipped:
        raise InputError(next(iter(skipped.values())))
    return skipped
