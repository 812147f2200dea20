"""Files that are made from something else: current, or made again.

`derived.json` in a folder says, for every kind of such files there, a hash of what they were made from and which they are:

    {"webdataset": {"source": "0123456789abcdef", "complete": true, "files": {"pairs-00000.tar": 12345}}}

Only files of that list are ever kept or removed.
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
    """Files of one kind.

    Attributes:
        source: hash of what they are made from.
        files: their names relative to the folder; size in bytes, None until all are written.
        complete: whether all were written.
    """

    source: str
    files: dict[str, int | None] = field(default_factory=dict)
    complete: bool = False

    @classmethod
    def of(cls, value: Any, path: Path, kind: str) -> Made:
        """From the JSON of a record.

        Raises:
            FormatError: it is something else, or names a file outside the folder.
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
        """Names of the files that are there as they were written."""
        found = set()
        for name, size in self.files.items():
            with suppress(OSError):
                actual = (folder / name).lstat().st_size
                if actual if size is None else size == actual:  # a power failure leaves empty files
                    found.add(name)
        return found


@contextmanager
def derived(folder: Path, kind: str, source: str, names: Collection[str]) -> Iterator[set[str]]:
    """Bring the files of one kind in a folder up to date; the block writes those that it is not told are there.

    Files of an earlier source, and files that are not wanted any more, are removed first. A block that fails leaves its files
    to the next call with the same source.

    Args:
        folder: where they are.
        kind: of files, such as `coco`.
        source: hash of what they are made from, and how.
        names: of all files, relative to the folder; the block has to write each under its final name when it is complete.

    Yields:
        Names that are there and current.

    Raises:
        OutputError: a file of one of these names is there that no earlier call made; or the folder cannot be written.
        FormatError: the record is damaged.
    """
    before = recorded(folder).get(kind, Made(source=""))
    same = before.source == source
    kept = before.whole(folder) & set(names) if same else set()
    if same and before.complete and kept == set(before.files) == set(names):
        yield kept
        return
    if foreign := next((name for name in names if name not in before.files and (folder / name).exists()), None):
        raise OutputError(f"{folder / foreign}: this file exists, and no such command wrote it; {_NOTHING}")
    _remove(folder, set(before.files) - kept)
    _note(folder, kind, Made(source=source, files=dict.fromkeys(names)))
    yield kept
    _note(folder, kind, Made(source=source, files={name: (folder / name).lstat().st_size for name in names}, complete=True))


@contextmanager
def rewritten(folder: Path, kind: str, names: Collection[str], *, record: str = DERIVED) -> Iterator[set[str]]:
    """Write all files of one kind anew; those of earlier calls that are not among them are removed first.

    The record names the files before the block writes the first: the next call knows what a killed one has left.

    Args:
        folder: where they are.
        kind: of files, such as `overlays`.
        names: of all files, relative to the folder.
        record: name of the record.

    Yields:
        A set for names that the block does not write after all; what an earlier call left under them is removed.

    Raises:
        OutputError: the folder cannot be written.
        FormatError: the record is damaged.
    """
    before, unwritten = set(recorded(folder, record).get(kind, Made(source="")).files), set[str]()
    _remove(folder, before - set(names))
    _note(folder, kind, Made(source="", files=dict.fromkeys(names)) if names else None, record)
    complete = False
    try:
        yield unwritten
        complete = True
    finally:
        _remove(folder, before & unwritten)
        made = Made(source="", files=_sizes(folder, names), complete=complete)
        _note(folder, kind, made if made.files else None, record)


def _sizes(folder: Path, names: Iterable[str]) -> dict[str, int | None]:
    """Size in bytes of the files that are there."""
    found: dict[str, int | None] = {}
    for name in names:
        with suppress(OSError):
            found[name] = (folder / name).lstat().st_size
    return found


def adopt(folder: Path, kind: str, names: Iterable[str]) -> None:
    """Put those of these files that are there into the folder's record."""
    if files := _sizes(folder, names):
        _note(folder, kind, Made(source="", files=files))


def discard(folder: Path, kinds: Iterable[str] | None = None) -> None:
    """Remove the files of these kinds, or of all, that the folder's record names."""
    for kind, made in recorded(folder).items():
        if kinds is None or kind in kinds:
            _remove(folder, made.files)
            _note(folder, kind, None)


def recorded(folder: Path, record: str = DERIVED) -> dict[str, Made]:
    """What the folder's record says, by kind; nothing where there is none.

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
    """Put files of one kind into the record, or take them out; without any the record goes."""
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
    """Remove files, and the folders that are empty without them."""
    parents, root = set(), folder.resolve()
    try:
        for name in names:
            if root not in (folder / name).parent.resolve().parents and root != (folder / name).parent.resolve():
                continue  # through a link that somebody has put there since
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
