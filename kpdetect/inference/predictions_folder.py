"""Read predictions from the folder that holds them, as predictions.csv or as Parquet."""

from __future__ import annotations

from pathlib import Path

from kpdetect.inference.formats.parquet import read_parquet
from kpdetect.inference.predictions import PARQUET, TABLE, Predictions


def read_predictions(folder: Path | str) -> Predictions:
    """Read what `kpdetect.predict` wrote about images or about one video.

    Args:
        folder: the folder that holds `predictions.csv` (for a video OUT/videos/NAME), the file `predictions.csv` itself, or the
            folder `predictions.parquet`.

    Raises:
        InputError: a file is missing.
        FormatError: a file is damaged, or the table and its record do not fit each other.
    """
    folder = Path(folder)
    if folder.name == PARQUET:
        return read_parquet(folder)
    return Predictions.read(folder.parent if folder.name == TABLE else folder)
