"""Write files that are either complete or absent. A file is written under a temporary name, flushed to disk, and renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from kpdetect.errors import OutputError
from kpdetect.files.json_yaml import read_json_file
from kpdetect.files.names import is_text, shown
from kpdetect.files.temporary import sweep, temporary_name


@contextmanager
def replacing(path: Path, *, ending: str = ".part", durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to `path`. After the `with` block rename this file to `path`; on failure remove it.

    Args:
        path: final path.
        ending: ending of the temporary name, for libraries that choose the file format by the ending.
        durable: whether to flush the file to disk, so that it survives a power failure. Callers that write many files pass
            False and call `flush_disks` at the end.

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


@contextmanager
def replacing_set(record: Path, *others: Path) -> Iterator[tuple[Path, ...]]:
    """Replace files that belong together, as `replacing` does. Yield their temporary paths, the record's first.

    The old record is removed before the first file is replaced. The new record appears after the last file. So an existing
    record always describes the existing files, even if a process was killed.

    Args:
        record: the file that describes the others.
        others: the other files.

    Raises:
        OutputError: a folder cannot be written, or the disk is full.
    """
    with ExitStack() as stack:
        yield tuple(stack.enter_context(replacing(path, ending=f".part{path.suffix}")) for path in (record, *others))
        record.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that new names in it survive a power failure, if the system supports it."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def flush_disks() -> None:
    """Wait until all data that were written are on disk."""
    if hasattr(os, "sync"):
        os.sync()


def output_error(path: Path, error: OSError) -> OutputError:
    """Make the error that explains in one line why `path` could not be written."""
    if error.errno == errno.EFBIG:
        return OutputError(f"{path}: the file is larger than the limit (see `ulimit -f`); raise the limit or use another disk")
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return OutputError(f"{path}: the disk is full; free some space, then run the same command again to continue")
    reason = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written ({reason}); check the path and its permissions")


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, see `json_text`."""
    write_text(path, json_text(value) + "\n")


def json_text(value: Any) -> str:
    """Make indented JSON. In paths, bytes that are not UTF-8 are escaped (`kpdetect.files.names.shown`)."""
    text = json.dumps(value, indent=None if isinstance(value, str) else 2)  # without `indent`, it is computed in C
    if "\\udc" in text:  # readers refuse the code points that stand for such bytes
        text = json.dumps(_as_text(value), indent=2)
    return text


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value if is_text(value) else shown(value)
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else value


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing.
        FormatError: the file is not JSON, is too large, or is nested too deeply.
    """
    return read_json_file(path)
