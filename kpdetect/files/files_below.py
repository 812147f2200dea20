"""A list of many files of one folder that takes little memory. It keeps names, and makes a path when one is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import overload

from kpdetect.files.name_table import NameTable
from kpdetect.files.names import name_below


class FilesBelow(Sequence[Path]):
    """The paths of files below a folder.

    Args:
        folder: the folder.
        names: POSIX paths of the files relative to `folder`, in the order of the list.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.folder, self.names = folder, NameTable.of(names)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> FilesBelow: ...

    def __getitem__(self, index: int | slice) -> Path | FilesBelow:
        if isinstance(index, slice):
            return FilesBelow(self.folder, self.names[index])
        return self.folder / self.names[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def names_below(paths: Sequence[Path], root: Path) -> Sequence[str]:
    """Return the POSIX paths of files relative to a folder.

    Raises:
        InputError: a file lies outside the folder.
    """
    if isinstance(paths, FilesBelow) and paths.folder == root:
        return paths.names
    return [name_below(path, root) for path in paths]


def without(files: Sequence[Path], removed: Collection[Path]) -> Sequence[Path]:
    """Return a list of files without those in `removed`."""
    if not isinstance(files, FilesBelow):
        return [file for file in files if file not in removed]
    if not removed:
        return files
    return FilesBelow(files.folder, (name for name in files.names if files.folder / name not in removed))
