"""The list of formats of other tools, and a function that writes predictions in the requested ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kpdetect.data.derived_files import recorded, rewritten
from kpdetect.errors import InputError
from kpdetect.inference.prediction_record import is_without_list, read_prediction_head
from kpdetect.messages import log

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions
    from kpdetect.inference.predictions_folder import PredictedFolder

FORMATS = {
    "csv": "",
    "dlc-csv": "deeplabcut:write_dlc_csv",
    "dlc-h5": "deeplabcut:write_dlc_h5",
    "coco": "coco:write_coco",
    "sleap": "sleap:write_sleap",
    "yolo": "yolo:write_yolo",
    "label-studio": "label_studio:write_label_studio",
    "parquet": "parquet:write_parquet",
}
"""The writer of each format, by name. predictions.csv (csv) is always written and needs no writer."""
FILES = {
    "dlc-csv": ("predictions-dlc.csv",),
    "dlc-h5": ("predictions-dlc.h5",),
    "coco": ("predictions-coco.json",),
    "sleap": ("predictions.analysis.h5",),
    "label-studio": ("predictions-label-studio.json", "label-studio.xml"),
}
"""Files of each format. YOLO has a file per image, Parquet one per 100,000 images."""
STREAMED = "parquet"
"""The format whose writer takes blocks of images, so that its memory does not grow with the number of images."""
LABELLED = "CollectedData_human.csv"
"""A further file of the formats of DeepLabCut, if a person has checked images."""


def kind_of(name: str) -> str:
    """Return the name under which `kpdetect.data.derived_files` records the files of a format."""
    return f"predictions, {name}"


def require_formats(names: Iterable[str]) -> None:
    """Check that formats of these names exist.

    Raises:
        InputError: a format is unknown.
    """
    for name in names:
        if name not in FORMATS:
            raise InputError(f"`formats={name}`: expected one or more of {','.join(FORMATS)}")


def write_formats(
    predictions: Predictions | PredictedFolder,
    names: Iterable[str],
    folder: Path,
    min_confidence: float = 0.0,
    refused: list[str] | None = None,
) -> list[Path]:
    """Write predictions in formats of other tools.

    Keypoints that a person has checked in the studio (`corrections.csv` in `folder`) are written as the person left them. Those
    checked on predictions of other weights are left out, and one line says how many.

    Args:
        predictions: the predictions, or the folder that they are written in. Only Parquet is written from a folder without
            reading all of them at once.
        names: names of the formats.
        folder: the predictions folder, which the files are written to.
        min_confidence: keypoints below this confidence count as missing.
        refused: list that takes why formats could not be written, while the others are written. None: the first one is raised.

    Returns:
        The written file or folder of each format.

    Raises:
        InputError: a format is unknown, its package is not installed, or it cannot hold these images. Or there are corrections,
            and no record of predictions that says of which weights they are.
        FormatError: the corrections are damaged.
        OutputError: a file cannot be written, or a file of its name exists that no earlier call wrote.
    """
    chosen = list(dict.fromkeys(names))
    require_formats(chosen)
    chosen = [name for name in chosen if FORMATS[name]]
    return _Writing(predictions, folder, min_confidence).write(chosen, refused) if chosen else []


class _Writing:
    """The predictions of a folder with a person's corrections, as the writers need them."""

    def __init__(self, predictions: Predictions | PredictedFolder, folder: Path, min_confidence: float) -> None:
        from kpdetect.inference.corrections import TABLE, read_corrections

        self.predictions, self.folder, self.min_confidence = predictions, folder, min_confidence
        self.corrections = read_corrections(folder)
        self.model = read_prediction_head(folder).model if self.corrections.images else ""
        if others := self.corrections.others(self.model):
            what = f"{others:,} keypoints were corrected on predictions of other weights"
            confirm = f"to use them, confirm them on the page Review of `kpdetect studio {folder}`"
            log.warning(f"{folder / TABLE}: {what}, so their numbers may mean other places; they are left out; {confirm}")

    def write(self, names: Iterable[str], refused: list[str] | None) -> list[Path]:
        """Write formats, and return the file or folder of each."""
        written = []
        for name in names:
            try:
                written.append(self._write(name))
            except InputError as error:
                if refused is None:
                    raise
                refused.append(str(error))
        return written

    def _write(self, name: str) -> Path:
        module, _, function = FORMATS[name].partition(":")
        write = getattr(import_module(f"kpdetect.inference.formats.{module}"), function)
        files = self._files(name)
        with rewritten(self.folder, kind_of(name), files, earlier=self._earlier(name, files)):
            return Path(write(self.blocks() if name == STREAMED else self.whole, self.min_confidence, self.folder))

    def _earlier(self, name: str, files: Collection[str]) -> Collection[str]:
        """List the files that other formats, or version 0.1.0, may have written under the names of a format's files."""
        known = recorded(self.folder)
        if kind_of(name) not in known and is_without_list(self.folder):
            return files
        return (LABELLED,) if any(LABELLED in made.files for made in known.values()) else ()

    def blocks(self) -> Iterator[Predictions]:
        """Yield the predictions in blocks."""
        from kpdetect.inference.corrections import corrected

        return (corrected(block, self.corrections, self.model) for block in self.predictions.blocks())

    @cached_property
    def whole(self) -> Predictions:
        """All predictions."""
        from kpdetect.inference.corrections import corrected
        from kpdetect.inference.predictions import Predictions

        known = self.predictions
        return corrected(known if isinstance(known, Predictions) else known.predictions, self.corrections, self.model)

    def _files(self, name: str) -> Collection[str]:
        """List the names of all files of a format."""
        if name == STREAMED:
            from kpdetect.inference.formats.parquet import files_of

            return files_of(self.predictions.count)
        if name == "yolo":
            from kpdetect.inference.formats import yolo

            return yolo.files_of(self.whole)
        labelled = name.startswith("dlc-") and self.whole.human is not None and self.whole.human.any()
        return (*FILES[name], LABELLED) if labelled else FILES[name]
