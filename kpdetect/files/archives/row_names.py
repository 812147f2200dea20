"""Names of the rows of a table of images."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from kpdetect.files.name_table import NameTable
from kpdetect.files.names import is_writable, leads_out

COLUMNS = ("name", "names", "filename", "filenames", "file_name", "file", "files", "path", "paths", "key", "keys", "__key__")
"""Names of columns and data sets that hold the names of images, the first one that exists counts."""


def row_names(given: Sequence[str | None] | None, count: int) -> NameTable:
    """Name the rows of a table: by the given names if they all differ and can name files, else by their numbers from 0.

    Args:
        given: a name for each row, or None if the table has no names.
        count: number of rows.
    """
    if given is not None:
        plain = [posixpath.normpath(name) if name else "" for name in given]
        if all(name and is_writable(name) and not leads_out(name) for name in plain):
            table = NameTable(plain)
            if not table.repeated().any():
                return table
    digits = max(6, len(str(count - 1)))
    return NameTable(f"{row:0{digits}d}" for row in range(count))
