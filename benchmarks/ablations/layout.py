"""Where things lie in a folder of ablations.

OUT/config.yaml             what is the same for all cells
OUT/cells/NAME/             a project, its cell.json, log.txt and measured.json
OUT/table2.md, .csv, .json  the table
"""

from __future__ import annotations

from pathlib import Path

CONFIG, CELLS = "config.yaml", "cells"
DESCRIPTION, LOG, MEASURED = "cell.json", "log.txt", "measured.json"
"""Of a cell: what is trained, what its process printed, what came out."""


def cell_folder(out: Path, name: str) -> Path:
    """Where a cell is."""
    return out / CELLS / name
