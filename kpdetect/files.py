"""Files that are either complete or absent: written under a temporary name, flushed, then renamed."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from kpdetect.bounded import read_json_file
from kpdetect.errors import FormatError, OutputError
from kpdetect.listing import OUTPUT
from kpdetect.names import from_cell, is_text, shown, to_cell
from kpdetect.reading import reading
from kpdetect.temporary import LOCK, sweep, temporary_name

WEIGHTS = "model.safetensors"
"""Name of the weights in a run folder."""
CHECKPOINT = "checkpoint.pt"
"""Name of the state of training in a run folder."""


@contextmanager
def replacing(path: Path, *, ending: str = ".part", durable: bool = True) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` on success, remove it on any failure.

    Args:
        path: final name.
        ending: of the temporary name, for libraries that go by it.
        durable: whether the file outlasts a power failure from now on; without, `flush_disks` sees to that for many at once.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    temporary = temporary_name(path, ending)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        yield temporary
        if durable:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a new name outlast a power failure, where the system can."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def flush_disks() -> None:
    """Wait until all that was written is on disk."""
    if hasattr(os, "sync"):
        os.sync()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which other processes wait for; where the system has no such locks, do without."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def output_error(path: Path, error: OSError) -> OutputError:
    """The one line that explains why `path` could not be written."""
    if error.errno == errno.EFBIG:
        return OutputError(f"{path}: larger than a file may be here (see `ulimit -f`); raise the limit or use another disk")
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return OutputError(f"{path}: the disk is full; free some space and run the same command again, it continues")
    reason = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written ({reason}); check the path and its permissions")


def make_folder(folder: Path) -> Path:
    """Create `folder` and check that it can be written.

    Raises:
        OutputError: it is a file, or cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)  # another process may have looked too
    except OSError as error:
        raise output_error(folder, error) from error
    return folder


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """`make_folder`; on failure what it made is removed, if it is empty but for the record of what nothing was made from.

    Raises:
        OutputError: it is a file, or cannot be created or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    was_empty = bool(made) or (folder.is_dir() and {path.name for path in folder.iterdir()} == {LOCK})
    make_folder(folder)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # not empty
            if was_empty and {path.name for path in folder.iterdir()} <= {SOURCES, OUTPUT, LOCK}:
                for name in (SOURCES, OUTPUT):
                    (folder / name).unlink(missing_ok=True)
            for path in made:
                path.rmdir()
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON; in paths, bytes that are no UTF-8 are escaped (`kpdetect.names.shown`)."""
    text = json.dumps(value, indent=2)
    if "\\udc" in text:  # a reader would refuse what stands for such bytes
        text = json.dumps(_as_text(value), indent=2)
    write_text(path, text + "\n")


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value if is_text(value) else shown(value)
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else value


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: the file is missing.
        FormatError: it is not JSON, too large or nested too deeply.
    """
    return read_json_file(path)


def file_hash(path: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def bytes_hash(content: bytes) -> str:
    """`file_hash` of a file of these bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


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
                raise ValueError(f"row {number} is no image and its sha256")
        return [(from_cell(row[0]), row[1]) for row in rows[1:]]


def merge_sources(target: Path, *others: Path) -> None:
    """Add the records of other folders to the one of `target`, so that it names every real image behind a model."""
    rows = dict.fromkeys(row for folder in (target, *others) for row in read_sources(folder))
    if rows:
        write_sources(target, rows)
