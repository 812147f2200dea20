"""CSV tables of this project, as pandas reads them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """A CSV table whose lines have as many cells as its header.

    Pandas takes what is too much in the first line for an index of many levels, which has no end for thousands of cells.

    Args:
        path: the file.
        options: for `pandas.read_csv`.

    Raises:
        Exception: as `pandas.read_csv`; ValueError of a first line that is longer than the header.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        header, first = next(rows, []), next(rows, [])
    if len(first) > len(header):
        raise ValueError(f"line 2 has {len(first):,} cells for {len(header):,} columns")
    return pd.read_csv(path, keep_default_na=False, **options)
