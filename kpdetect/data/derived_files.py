"""A record of derived files. Derived files are made from other files, and made again when those have changed.

`derived.json` in a folder lists the derived files of every kind, with a hash of their source:

    {"webdataset": {"source": "0123456789abcdef", "complete": true, "files": {"pairs-00000.tar": 12345}}}

Only files that this list names are reused or removed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from kpdetect.errors import FormatError, OutputError
from kpdetect.files.atomic import output_error, read_json, write_json

DERIVED = "derived.json"
_NOTHING = "remove it, or give another folder"


@dataclass(frozen=True, kw_only=True)
class Made:
    """The derived files of one kind.

    Attributes:
        source: hash of the data that the files were made from.
        files: sizes in bytes, by names relative to the folder. The sizes are None until all files are written.
        complete: whether all files were written.
    """

    source: str
    files: dict[str, int | None] = field(default_factory=dict)
    complete: bool = False

    @classmethod
    def of(cls, value: Any, path: Path, kind: str) -> Made:
        """Parse the JSON value of a record.

        Raises:
            FormatError: the value is not a record, or names a file outside the folder.
        """
        try:
            files = {str(name): None if size is None else int(size) for name, size in value["files"].items()}
            made = cls(source=str(value["source"]), files=files, complete=bool(value["complete"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{path}: damaged record of {kind} files; {_NOTHING}") from error
        if strange := [name for name in files if not _is_inside(name)]:
            raise FormatError(f"{path}: this record names {strange[0]!r}, which lies outside the folder; {_NOTHING}")
        return made

    def whole(self, folder: Path) -> set[str]:
        """List the names of the files that still have the size with which they were written."""
        unchanged = set()
        for name, size in self.files.items():
            with suppress(OSError):
                actual = (folder / name).lstat().st_size
                if actual if size is None else size == actual:  # a power failure leaves empty files
                    unchanged.add(name)
        return unchanged


@contextmanager
def derived(folder: Path, kind: str, source: str, names: Collection[str]) -> Iterator[set[str]]:
    """Bring the derived files of one kind up to date. The block of the `with` statement writes the missing files.

    Before the block, files are removed that were made from other data or are not in `names`. If the block fails, the next call
    with the same `source` reuses the files that it wrote.

    Args:
        folder: folder of the files.
        kind: kind of the files, such as `coco`.
        source: hash of the data that the files are made from, and of the settings.
        names: names of all files, relative to the folder. The block must give a file its name only when the file is complete.

    Yields:
        The names of the files that exist and are up to date. The block need not write them.

    Raises:
        OutputError: a file with one of these names exists that no earlier call wrote, or the folder cannot be written.
        FormatError: the record is damaged.
    """
    before = recorded(folder).get(kind, Made(source=""))
    same = before.source == source
    kept = before.whole(folder) & set(names) if same else set()
    if same and before.complete and kept == set(before.files) == set(names):
        yield kept
        return
    require_own(folder, kind, names)
    _remove(folder, set(before.files) - kept)
    _note(folder, kind, Made(source=source, files=dict.fromkeys(names)))
    yield kept
    _note(folder, kind, Made(source=source, files={name: (folder / name).lstat().st_size for name in names}, complete=True))


def require_own(folder: Path, kind: str, names: Iterable[str], *, record: str = DERIVED, earlier: Collection[str] = ()) -> None:
    """Refuse to replace files that no command wrote. Nothing is changed.

    Args:
        folder: folder of the files.
        kind: kind of the files, such as `overlays`.
        names: names of the files that are to be written, relative to the folder.
        record: file name of the record.
        earlier: names of files that may be replaced though no record names them, because an earlier version wrote them.

    Raises:
        OutputError: a file with one of these names exists that no earlier call wrote.
        FormatError: the record is damaged.
    """
    before = recorded(folder, record).get(kind, Made(source="")).files
    for name in names:
        if name not in before and name not in earlier and os.path.lexists(folder / name):
            raise OutputError(f"{folder / name}: this file exists, and no such command wrote it; {_NOTHING}")


@contextmanager
def rewritten(
    folder: Path, kind: str, names: Collection[str], *, record: str = DERIVED, earlier: Collection[str] = ()
) -> Iterator[set[str]]:
    """Write all derived files of one kind again, in the block of the `with` statement.

    Before the block, files of earlier calls that are not in `names` are removed. The record names the files before the block
    writes them. So if a call is killed, the next call knows which files it left.

    Args:
        folder: folder of the files.
        kind: kind of the files, such as `overlays`.
        names: names of all files, relative to the folder.
        record: file name of the record.
        earlier: names of files that may be replaced though no record names them, see `require_own`.

    Yields:
        An empty set. The block adds the names of files that it does not write. Earlier files with these names are removed.

    Raises:
        OutputError: a file with one of these names exists that no earlier call wrote, or the folder cannot be written.
        FormatError: the record is damaged.
    """
    require_own(folder, kind, names, record=record, earlier=earlier)
    before, unwritten = set(recorded(folder, record).get(kind, Made(source="")).files), set[str]()
    _remove(folder, before - set(names))
    _note(folder, kind, Made(source="", files=dict.fromkeys(names)) if names else None, record)
    complete = False
    try:
        yield unwritten
        complete = True
    finally:
        _remove(folder, before & unwritten)
        files = _sizes(folder, names)
        if files and not complete:  # other processes may still be writing files
            files = dict.fromkeys(names) | files
        made = Made(source="", files=files, complete=complete)
        _note(folder, kind, made if made.files else None, record)


def _sizes(folder: Path, names: Iterable[str]) -> dict[str, int | None]:
    """Read the sizes in bytes of the files that exist."""
    sizes: dict[str, int | None] = {}
    for name in names:
        with suppress(OSError):
            sizes[name] = (folder / name).lstat().st_size
    return sizes


def adopt(folder: Path, kind: str, names: Iterable[str]) -> None:
    """Add files to the folder's record, except those that do not exist."""
    if files := _sizes(folder, names):
        _note(folder, kind, Made(source="", files=files))


def discard(folder: Path, kinds: Iterable[str] | None = None) -> None:
    """Remove the files that the folder's record names, of the given kinds, or of all kinds if `kinds` is None."""
    for kind, made in recorded(folder).items():
        if kinds is None or kind in kinds:
            _remove(folder, made.files)
            _note(folder, kind, None)


def recorded(folder: Path, record: str = DERIVED) -> dict[str, Made]:
    """Read the folder's record as a dict from kind to files. If there is no record, the dict is empty.

    Raises:
        FormatError: the record is damaged.
    """
    path = folder / record
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise FormatError(f"{path}: not a record of derived files; {_NOTHING}")
    return {str(kind): Made.of(value, path, str(kind)) for kind, value in content.items()}


def _note(folder: Path, kind: str, made: Made | None, record: str = DERIVED) -> None:
    """Set the record's entry of one kind, or remove the entry if `made` is None. An empty record is deleted."""
    before = recorded(folder, record)
    others = {name: other for name, other in before.items() if name != kind}
    entries = others if made is None else others | {kind: made}
    path = folder / record
    if entries == before:
        return
    if entries:
        write_json(path, {name: vars(entry) for name, entry in entries.items()})
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files, and folders that become empty."""
    parents, root = set(), folder.resolve()
    try:
        for name in names:
            if root not in (folder / name).parent.resolve().parents and root != (folder / name).parent.resolve():
                continue  # a link has since been put here that leads out of the folder
            (folder / name).unlink(missing_ok=True)
            parents |= {folder / parent for parent in PurePosixPath(name).parents if parent.name}
    except OSError as error:
        raise output_error(folder / name, error) from error
    for parent in sorted(parents, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):  # not empty
            os.rmdir(parent)


def _is_inside(name: str) -> bool:
    path = Path(name)
    return bool(path.parts) and not path.anchor and ".." not in path.parts
