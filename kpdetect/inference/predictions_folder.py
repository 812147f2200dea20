"""Read predictions from the folder that holds them, as predictions.csv or as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kpdetect.inference.formats.parquet import read_parquet
from kpdetect.inference.predictions import PARQUET, TABLE, Predictions

KEPT = 100_000
"""Largest number of images or frames whose predictions stay in memory after they were written."""


@dataclass
class PredictedFolder:
    """The written predictions of images, or of one video.

    Attributes:
        path: the folder that holds predictions.csv.
        count: number of images or frames.
    """

    path: Path
    count: int

    @cached_property
    def predictions(self) -> Predictions:
        """The predictions. They are read when they are first used."""
        return Predictions.read(self.path)

    def blocks(self) -> Iterator[Predictions]:
        """Read the predictions in blocks of limited size."""
        return Predictions.read_blocks(self.path)

    def keep(self) -> None:
        """Read the predictions now, unless they are many. Later calls may replace the files."""
        if self.count <= KEPT:
            _ = self.predictions


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
