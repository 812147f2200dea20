"""A list of many names in little memory: one buffer of bytes, and the place where each name ends."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

DECODED = 1024
"""Number of names that are decoded at a time while a list is read from its beginning to its end."""


class NameTable(Sequence[str]):
    """Names that cannot be changed. A name takes 8 bytes more than its UTF-8 form, and 16 more once `row` is used.

    Args:
        names: the names, valid Unicode.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        text, ends = bytearray(), array("q")
        for name in names:
            text += name.encode()
            ends.append(len(text))
        self._text, self._ends = text, np.frombuffer(ends, np.int64) if ends else np.zeros(0, np.int64)
        self._index: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    @classmethod
    def of(cls, names: Iterable[str]) -> NameTable:
        """Return `names` itself if it is a table, else a table of the names."""
        return names if isinstance(names, NameTable) else cls(names)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> NameTable: ...

    def __getitem__(self, index: int | slice) -> str | NameTable:
        if isinstance(index, slice):
            rows = range(*index.indices(len(self)))
            return NameTable(self.between(rows.start, rows.stop) if rows.step == 1 else map(self.__getitem__, rows))
        row = range(len(self))[index]
        return self._bytes(row).decode()

    def __iter__(self) -> Iterator[str]:
        return self.between(0, len(self))

    def between(self, first: int, last: int) -> Iterator[str]:
        """Yield the names from position `first` up to `last`, without it."""
        start = int(self._ends[first - 1]) if first else 0
        for row in range(first, last, DECODED):
            for end in self._ends[row : min(row + DECODED, last)].tolist():
                yield self._text[start:end].decode()
                start = end

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.row(name) is not None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NameTable):
            return self._text == other._text and np.array_equal(self._ends, other._ends)
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"NameTable({list(self)!r})" if len(self) <= 20 else f"NameTable of {len(self):,} names"

    def row(self, name: str) -> int | None:
        """Return the position of a name; None if it is not in the table. Of equal names, the last one counts."""
        wanted = name.encode(errors="surrogatepass")
        hashes, rows = self._hashes()
        code = hash(wanted)
        for place in range(int(np.searchsorted(hashes, code, side="right")) - 1, -1, -1):
            if hashes[place] != code:
                break
            if self._bytes(int(rows[place])) == wanted:
                return int(rows[place])
        return None

    def repeated(self) -> NDArray[np.bool_]:
        """Mark the names that occur again at a later position, bool [names]."""
        hashes, rows = self._hashes()
        marks = np.zeros(len(self), bool)
        for place in np.flatnonzero(hashes[1:] == hashes[:-1]).tolist():
            row = int(rows[place])
            marks[row] = self.row(self[row]) != row
        return marks

    def taken(self, rows: Iterable[int]) -> NameTable:
        """Return a table of some of the names, in the order of `rows`."""
        return NameTable(self[int(row)] for row in rows)

    def _bytes(self, row: int) -> bytes:
        return bytes(self._text[(int(self._ends[row - 1]) if row else 0) : int(self._ends[row])])

    def _hashes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the hashes of all names in ascending order, and the position of the name of each."""
        if self._index is None:
            codes = np.fromiter((hash(self._bytes(row)) for row in range(len(self))), np.int64, len(self))
            rows = np.argsort(codes, kind="stable")
            self._index = codes[rows], rows
        return self._index
