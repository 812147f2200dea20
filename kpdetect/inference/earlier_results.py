"""Decide whether a folder already holds the results that a command would write, and remove outdated ones."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kpdetect.data.derived_files import adopt, discard, recorded, require_own, rewritten
from kpdetect.errors import FormatError, InputError
from kpdetect.files.archives.members import size_and_time
from kpdetect.files.names import shown
from kpdetect.images.levels import current_levels
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.formats.choice import FILES, FORMATS, kind_of
from kpdetect.inference.prediction_record import RECORD, is_without_list, read_prediction_head, read_prediction_record
from kpdetect.inference.predictions import TABLE
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.second_pass import border

OVERLAYS, OVERLAY = "overlays", "overlay.mp4"
"""The folder of overlays of images, and the overlay video."""
PICTURES = "pictures"
"""The name of overlays and overlay videos in the record of derived files."""


def stage_of(predictor: Predictor, config: PredictConfig, source: Path | int, files: Iterable[Path]) -> dict[str, Any]:
    """Return the identity of predictions. It differs if the weights, labels, settings or input files differ.

    Of an input file, the identity holds the name, size and time of change.
    """
    return {
        "model": predictor.hash,
        "labels": predictor.labels.model_dump(mode="json", exclude={"weights"}),
        "settings": config.choices() | {"margin": border(config, predictor.description), "levels": current_levels().text},
        "source": shown(str(source if isinstance(source, int) else source.resolve())),
        "inputs": inputs_key(files),
    }


def inputs_key(files: Iterable[Path]) -> str:
    """Compute a hash of the names, sizes and times of change of files."""
    digest = hashlib.sha256()
    for file in files:
        try:
            size, time = size_and_time(file)
            state = f"{size}\t{time}"
        except (OSError, ValueError):  # a dangling link is skipped later, with its name
            state = "missing"
        digest.update(f"{file}\t{state}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def is_finished(folder: Path, stage: dict[str, Any]) -> bool:
    """Tell whether `folder` holds complete predictions with this identity, `stage`; see `stage_of`."""
    if not (folder / RECORD).exists() or not (folder / TABLE).exists():
        return False
    record = read_prediction_head(folder).content
    return all(record.get(key) == value for key, value in stage.items())


@contextmanager
def pictures_of(folder: Path, stage: dict[str, Any], names: Collection[str], *, keep: bool = False) -> Iterator[None]:
    """Replace the overlays of earlier predictions in a folder. The new ones are drawn inside the `with` block.

    Before the block, overlays of earlier predictions and their files in other formats are removed, because nobody could tell
    them from new ones. The record of finished predictions is removed before them. No other files are removed than those that
    `kpdetect.data.derived_files` has recorded.

    Args:
        folder: folder of the predictions.
        stage: identity of the new predictions, from `stage_of`.
        names: names of all new overlays, relative to the folder.
        keep: whether an interrupted call has begun predictions of the same identity. Its overlays are then kept.

    Raises:
        OutputError: a picture with one of these names exists that no earlier call drew; then nothing is removed. Or the folder
            cannot be written.
        FormatError: a record is damaged.
    """
    if not keep and not is_finished(folder, stage):
        _adopt(folder)
        require_own(folder, PICTURES, names)
        (folder / RECORD).unlink(missing_ok=True)
        discard(folder, (PICTURES, *map(kind_of, FORMATS)))
    with rewritten(folder, PICTURES, names):
        yield


def _adopt(folder: Path) -> None:
    """Record the overlays and other files that version 0.1.0 made from its predictions. That version kept no record."""
    if recorded(folder) or not is_without_list(folder):
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
    """Read why inputs were skipped in the finished predictions in `folder`, by the names of the inputs.

    Raises:
        InputError: with `strict`, an input was skipped.
    """
    skipped = read_prediction_head(folder).skipped
    if strict and skipped:
        raise InputError(next(iter(skipped.values())))
    return skipped
