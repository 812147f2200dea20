"""`sources.csv`: the list of the real images that a model or file was made from, by name and hash.

Every result that is made from the model or file copies the list."""

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
"""Name of the list of the real images that a model was trained on. Its columns are image and sha256 (see `file_hash`)."""


def write_sources(folder: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write the list of the real images that the files in a folder were made from, as rows (image, sha256)."""
    with replacing(folder / SOURCES) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "sha256"))
        writer.writerows((to_cell(name), *others) for name, *others in rows)


def copy_sources(source: Path, target: Path) -> None:
    """Copy the list of real images from one folder to another, if the first folder has one."""
    record = source / SOURCES
    if record.exists():
        write_text(target / SOURCES, record.read_text(encoding="utf-8"))


def read_sources(folder: Path) -> list[tuple[str, ...]]:
    """Read the rows of a folder's list of real images; none if there is no list, or the file is another table.

    Raises:
        FormatError: the list is damaged.
    """
    path = folder / SOURCES
    return (recorded_sources(path) or []) if path.is_file() else []


def recorded_sources(path: Path) -> list[tuple[str, ...]] | None:
    """Read the rows (image, sha256) of a list of real images; None if the file is another table.

    Raises:
        FormatError: the list is damaged.
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
    """Add the lists of other folders to that of `target`, so that it names all real images that a model was trained on."""
    rows = dict.fromkeys(row for folder in (target, *others) for row in read_sources(folder))
    if rows:
        write_sources(target, rows)
