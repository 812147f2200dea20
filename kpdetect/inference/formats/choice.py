"""The list of formats of other tools, and a function that writes predictions in the requested ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kpdetect.data.derived_files import rewritten
from kpdetect.errors import InputError

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions

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


def write_formats(predictions: Predictions, names: Iterable[str], folder: Path, min_confidence: float = 0.0) -> list[Path]:
    """Write predictions in formats of other tools.

    Keypoints that a person has checked in the studio (`corrections.csv` in `folder`) are written as the person left them.

    Args:
        predictions: the predictions.
        names: names of the formats.
        folder: the predictions folder, which the files are written to.
        min_confidence: keypoints below this confidence count as missing.

    Returns:
        The written file or folder of each format.

    Raises:
        InputError: a format is unknown, its package is not installed, or it cannot hold these images.
        FormatError: the corrections are damaged.
        OutputError: a file cannot be written.
    """
    chosen = list(dict.fromkeys(names))
    require_formats(chosen)
    if any(FORMATS[name] for name in chosen):
        from kpdetect.inference.corrections import corrected, read_corrections

        predictions = corrected(predictions, read_corrections(folder))
    written = []
    for name in (name for name in chosen if FORMATS[name]):
        module, _, function = FORMATS[name].partition(":")
        write = getattr(import_module(f"kpdetect.inference.formats.{module}"), function)
        with rewritten(folder, kind_of(name), _files(name, predictions)):
            written.append(write(predictions, min_confidence, folder))
    return written


def _files(name: str, predictions: Predictions) -> Collection[str]:
    if name in ("yolo", "parquet"):
        module = import_module(f"kpdetect.inference.formats.{name}")
        return list[str](module.files_of(predictions))
    labelled = name.startswith("dlc-") and predictions.human is not None and predictions.human.any()
    return (*FILES[name], LABELLED) if labelled else FILES[name]
