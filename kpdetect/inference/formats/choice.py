"""Which formats there are, and writing those asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

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
}
"""Name of a format and its writer; the long CSV is always written and needs none."""
WRITTEN = (
    "predictions-dlc.csv",
    "predictions-dlc.h5",
    "CollectedData_human.csv",
    "predictions-coco.json",
    "predictions.analysis.h5",
    "yolo/labels",
    "yolo/confidence",
    "yolo/data.yaml",
    "predictions-label-studio.json",
    "label-studio.xml",
)
"""What they write into a folder."""


def require_formats(names: Iterable[str]) -> None:
    """Check the names of formats.

    Raises:
        InputError: an unknown one.
    """
    for name in names:
        if name not in FORMATS:
            raise InputError(f"--format {name}: expected one or more of {','.join(FORMATS)}")


def write_formats(predictions: Predictions, names: Iterable[str], folder: Path, min_confidence: float = 0.0) -> list[Path]:
    """Write predictions in the formats `names` into `folder`; keypoints below `min_confidence` count as missing.

    Keypoints that a person has checked in the studio (`corrections.csv` in `folder`) are written as the person left them.

    Raises:
        InputError: an unknown format, one whose package is not installed, or images that it cannot hold.
        FormatError: damaged corrections.
        OutputError: a file cannot be written.
    """
    chosen = list(dict.fromkeys(names))
    require_formats(chosen)
    if any(FORMATS[name] for name in chosen):
        from kpdetect.inference.corrections import corrected, read_corrections

        predictions = corrected(predictions, read_corrections(folder))
    written = []
    for writer in (FORMATS[name] for name in chosen if FORMATS[name]):
        module, _, function = writer.partition(":")
        write = getattr(import_module(f"kpdetect.inference.formats.{module}"), function)
        written.append(write(predictions, min_confidence, folder))
    return written
