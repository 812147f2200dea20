"""Write and read large JSON objects entry by entry, so that memory does not grow with their number of entries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from kpdetect.errors import FormatError
from kpdetect.files.atomic import json_text, replacing
from kpdetect.files.json_yaml import LARGEST_JSON
from kpdetect.files.reading import reading

CHUNK = 1 << 20
"""Number of characters that are read at a time."""
_SPACE = re.compile(r"[ \t\n\r]*")
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"[ \t\n\r]*:[ \t\n\r]*(?=[^ \t\n\r])')
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*(?=[^ \t\n\r])")
_NUMBER_GOES_ON = re.compile(r"[0-9.eE+-]*\Z")
"""Matches after a value if more text may change it: `1.` at the end of the text is decoded as 1, and may go on to 1.5."""
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Entries:
    """An object in a JSON file, as pairs of key and value that are made while they are written."""

    pairs: Iterable[tuple[str, Any]]


def write_json_stream(path: Path, value: dict[str, Any]) -> None:
    """Write an object as `kpdetect.files.atomic.write_json` does. Its values may be `Entries`, or tuples of numbers.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.writelines(_texts(value.items(), "\n"))
        file.write("\n")


def _texts(pairs: Iterable[tuple[str, Any]], line: str) -> Iterator[str]:
    """Yield the text of an object in pieces. `line` is a line break and the object's indentation."""
    start = "{"
    for key, value in pairs:
        yield f"{start}{line}  {json_text(key)}: "
        if isinstance(value, Entries):
            yield from _texts(value.pairs, f"{line}  ")
        elif isinstance(value, tuple):
            yield "[" + ",".join(f"{line}    {json.dumps(item)}" for item in value) + f"{line}  ]"
        else:
            yield json_text(value).replace("\n", f"{line}  ")
        start = ","
    yield "{}" if start == "{" else f"{line}}}"


@contextmanager
def json_stream(path: Path, advice: str) -> Iterator[JsonStream]:
    """Open a JSON file to read it value by value.

    Args:
        path: the file.
        advice: advice to the user if the file is damaged.

    Raises:
        InputError: the file is missing or cannot be read.
        FormatError: the file is damaged.
    """
    with reading(path, FormatError, advice), open(path, encoding="utf-8-sig") as file:
        yield JsonStream(file)


class JsonStream:
    """The values of a JSON file, in their order. Only the next value is in memory."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at = file, "", 0

    def value(self) -> Any:
        """Read the next value.

        Raises:
            ValueError: the text is not JSON, or the value is larger than `LARGEST_JSON`.
        """
        if self.text[self.at : self.at + 1] <= " ":
            self._next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if self._more():
                    continue
                raise ValueError(f"not valid JSON ({error})") from error
            after = len(self.text) - end
            if not _NUMBER_GOES_ON.match(self.text, end) or not self._more():
                self.at = len(self.text) - after
                return value

    def object_keys(self) -> Iterator[str]:
        """Yield the keys of the object that comes next. After each key the caller must read its value.

        Raises:
            ValueError: the next value is not an object, or the text is not JSON.
        """
        self._expect("{")
        if self._next() == "}":
            self.at += 1
            return
        while True:
            yield self._key()
            if match := _COMMA.match(self.text, self.at):
                self.at = match.end()
            elif self._next() == "}":
                self.at += 1
                return
            else:
                self._expect(",")

    def emptied(self) -> Any:
        """Read the next value without the entries of an object: for an object, return an empty dict.

        Raises:
            ValueError: the text is not JSON.
        """
        if self._next() != "{":
            return self.value()
        for _ in self.object_keys():
            self.emptied()
        return {}

    def finish(self) -> None:
        """Check that nothing follows the last value.

        Raises:
            ValueError: the text goes on.
        """
        if self._next():
            raise ValueError("not valid JSON (more text follows its end)")

    def _key(self) -> str:
        """Read a key and the colon after it."""
        if match := _KEY.match(self.text, self.at):
            key: Any = _DECODER.raw_decode(self.text, self.at)[0]
            self.at = match.end()
            return str(key)
        key = self.value()
        if not isinstance(key, str):
            raise ValueError("not valid JSON (a key is not a text)")
        self._expect(":")
        return key

    def _next(self) -> str:
        """Go to the next character that is not white space, and return it; an empty text at the end of the file."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def _expect(self, mark: str) -> None:
        if (got := self._next()) != mark:
            raise ValueError(f"not valid JSON (expected {mark}, got {got or 'the end of the file'})")
        self.at += 1

    def _more(self) -> bool:
        """Read more text, at least as much as there is. So the time for a long value grows in proportion to its length."""
        rest = self.text[self.at :]
        if len(rest) > LARGEST_JSON:
            raise ValueError(f"a value has more than {LARGEST_JSON:,} characters")
        chunk = self.file.read(max(CHUNK, len(rest)))
        self.text, self.at = rest + chunk, 0
        return bool(chunk)
