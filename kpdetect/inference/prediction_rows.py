"""The rows of predictions.csv, read some at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpdetect.files.names import from_cell
from kpdetect.files.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

NAME_COLUMN = "name"
"""Last column of the table. It is there if the model's keypoints have names."""


def opened_rows(path: Path) -> Any:
    """Open a table for `rows_of`.

    Raises:
        Exception: see `kpdetect.files.tables.read_table`.
    """
    return read_table(path, dtype={"image": str, NAME_COLUMN: str}, iterator=True)  # a keypoint may have the name "NA"


def rows_of(file: Any, count: int | None = None) -> pd.DataFrame:
    """Read the next `count` rows of an open table, or as many as there are. None: all rows."""
    import pandas as pd

    try:
        table: pd.DataFrame = file.read(count)
    except StopIteration:
        return pd.DataFrame()
    if "image" in table:
        table["image"] = table["image"].map(from_cell)
    return table
