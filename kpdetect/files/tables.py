"""Read CSV tables with pandas, after a check of the first line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpdetect.files.names import to_cell

if TYPE_CHECKING:
    import pandas as pd


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV table. Its first line must not have more cells than the header.

    Pandas would read the additional cells as an index of many levels. With thousands of cells this takes endless time.

    Args:
        path: the file.
        options: options of `pandas.read_csv`.

    Raises:
        ValueError: the first line has more cells than the header.
        Exception: any error of `pandas.read_csv`.
    """
    import pandas as pd

    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        header, first = next(rows, []), next(rows, [])
    if len(first) > len(header):
        raise ValueError(f"line 2 has {len(first):,} cells for {len(header):,} columns")
    return pd.read_csv(path, keep_default_na=False, **options)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Change the texts of a table so that a spreadsheet does not run them as formulas (`kpdetect.files.names.to_cell`)."""
    return table.map(_cell)


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or value == "-":
        return value
    try:
        float(value)
    except ValueError:
        return to_cell(value)
    return value
