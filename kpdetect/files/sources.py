"""`sources.csv`: the real images behind a file, by name and hash. What is made of them hands the list on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from kpdetect.errors import FormatError
from kpdetect.files.atomic import replacing, write_text
from kpdetect.files.names import from_cell, to_cell
from kpdetect.files.reading import reading

SOURCES = "sources.csv"
"""Name of the record of real images behind a model: columns image, sha256 (see `file_hash`)."""


def write_sources(folder: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write the record of real images that something was made from: rows (image, sha256)."""
    with replacing(folder / SOURCES) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "sha256"))
        writer.writerows((to_cell(name), *others) for name, *others in rows)


def copy_sources(source: Path, target: Path) -> None:
    """Hand the record on from one folder to the next; where there is none, none is made."""
    record = source / SOURCES
    if record.exists():
        write_text(target / SOURCES, record.read_text(encoding="utf-8"))


def read_sources(folder: Path) -> list[tuple[str, ...]]:
    """The rows of a folder's record; none where there is no record, or a file of that name that is something else.

    Raises:
        FormatError: the record is damaged.
    """
    path = folder / SOURCES
    return (recorded_sources(path) or []) if path.is_file() else []


def recorded_sources(path: Path) -> list[tuple[str, ...]] | None:
    """The rows (image, sha256) of a record of real images; None of a file that is something else.

    Raises:
        FormatError: the record is damaged.
    """
    with reading(path, FormatError, "copy the record of the run again"):
        content = path.read_bytes()
        if not content.removeprefix(b"\xef\xbb\xbf").startswith(b"image,sha256"):
            return None
        rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True) if row]
        if rows[0] != ["image", "sha256"]:
            return None
        for number, row in enumerate(rows[1:], start=2):
            if len(row) != 2 or not row[1].strip() or not PurePosixPath(row[0]).name:
                raise ValueError(f"row {number}: expected an image name and a sha256")
        return [(from_cell(row[0]), row[1]) for row in rows[1:]]


def merge_sources(target: Path, *others: Path) -> None:
    """Add the records of other folders to the one of `target`, so that it names every real image behind a model."""
    rows = dict.fromkeys(row for folder in (target, *others) for row in read_sources(folder))
    if rows:
        write_sources(target, rows)
