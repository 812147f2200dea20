"""Images in a Parquet file: a column of encoded images (JPEG, PNG), or of structures {bytes, path} as Hugging Face has."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from kpdetect.errors import InputError
from kpdetect.files.archives.archive import Archive, stamp_of
from kpdetect.files.archives.row_names import COLUMNS, row_names
from kpdetect.files.left_out import LeftOut
from kpdetect.files.name_table import NameTable
from kpdetect.files.reading import reading

ADVICE = "copy or make the Parquet file again"
GROUPS = 2
"""Number of row groups that are in memory at a time."""


class ParquetArchive(Archive):
    """The images of a column in a Parquet file.

    Args:
        path: the path that stands for the archive.
        file: the Parquet file.
        inner: name of the column; None if the file has only one column of images.

    Raises:
        InputError: the file cannot be read, or pyarrow is not installed. Or there is no such column, or there are several and
            `inner` is None.
    """

    def __init__(self, path: Path, file: Path, inner: str | None) -> None:
        parquet = _pyarrow(file)
        with reading(file, InputError, ADVICE):
            stamp = stamp_of(file)
            self._table = parquet.ParquetFile(file)
            self._column = _column(self._table.schema_arrow, file, inner)
            names = _names(self._table, self._column)
            meta = self._table.metadata
            self._ends = np.cumsum([meta.row_group(number).num_rows for number in range(meta.num_row_groups)])
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()
        super().__init__(path, names, LeftOut(), stamp)

    def read(self, row: int) -> bytes:
        """Read an encoded image. The row group that holds it stays in memory for the next images."""
        name = self.path / self.names[row]
        group = int(np.searchsorted(self._ends, row, side="right"))
        with reading(name, InputError, ADVICE):
            value = self._group(group)[row - (int(self._ends[group - 1]) if group else 0)].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not content:
            raise InputError(f"{name}: this row holds no image; remove the row, or write the image's bytes into it")
        return bytes(content)

    def _group(self, number: int) -> Any:
        with self._lock:
            if number not in self._groups:
                self._groups[number] = self._table.read_row_group(number, columns=[self._column]).column(0)
                while len(self._groups) > GROUPS:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(number)
            return self._groups[number]


def _column(schema: Any, path: Path, inner: str | None) -> str:
    names = [field.name for field in schema if _holds_images(field.type)]
    if inner is not None:
        if inner not in names:
            raise InputError(
                f"{path}: there is no column {inner} of encoded images; expected one of {', '.join(names) or 'none'}"
            )
        return inner
    if len(names) != 1:
        advice = f"name one of them, as in {path.name}::{names[0]}" if names else "expected one of JPEG or PNG bytes"
        raise InputError(f"{path}: {len(names) or 'no'} columns of encoded images ({', '.join(names) or 'none'}); {advice}")
    return str(names[0])


def _holds_images(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_bytes(kind.field(place).type)
    return _is_bytes(kind)


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _names(table: Any, column: str) -> NameTable:
    """Name the rows by the structure's path or a column of texts, if there is one."""
    from pyarrow import types

    schema, count = table.schema_arrow, table.metadata.num_rows
    kind = schema.field(column).type
    if types.is_struct(kind) and kind.get_field_index("path") >= 0:
        paths = [value and value["path"] for value in table.read(columns=[f"{column}.path"]).column(0).to_pylist()]
        if all(paths):
            return row_names(paths, count)
    text = next((name for name in COLUMNS if name in schema.names and _is_text(schema.field(name).type)), None)
    return row_names(None if text is None else table.read(columns=[text]).column(0).to_pylist(), count)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _pyarrow(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(f'{path}: reading Parquet files needs pyarrow; pip install "kpdetect[parquet]"') from error
    return parquet
