"""Annotations in text files of words and numbers, and in MATLAB files."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import Any

from kpdetect.errors import FormatError, InputError

Line = tuple[int, list[str]]
"""Number of a line and its words."""


def read_words(path: Path) -> list[Line]:
    """Read the words of the lines of a text file, except empty lines.

    Raises:
        FormatError: the file is missing, or is not a text file.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a readable text file; download it again") from error
    return [(number, words) for number, line in enumerate(lines, start=1) if (words := line.split())]


def finite(words: Sequence[str], expected: int, where: str) -> list[float]:
    """Convert words to finite numbers.

    Raises:
        FormatError: there are not `expected` words, or a word is not a finite number; the message begins with `where`.
    """
    if len(words) != expected:
        raise FormatError(f"{where}: expected {expected} numbers, got {len(words)}")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{where}: {error}; expected {expected} numbers") from error
    if not all(map(math.isfinite, values)):
        raise FormatError(f"{where}: a value that is not finite; expected {expected} numbers")
    return values


def keyed(path: Path, expected: int) -> dict[str, tuple[int, list[float]]]:
    """Read a file whose lines hold a key and `expected` numbers.

    Returns:
        For each key the number of its line, and its numbers.

    Raises:
        FormatError: a line has too many or too few values, a value is not a finite number, or a key is repeated.
    """
    lines: dict[str, tuple[int, list[float]]] = {}
    for number, (key, *words) in read_words(path):
        where = f"{path}, line {number}"
        if key in lines:
            raise FormatError(f"{where}: {key} is listed twice, first on line {lines[key][0]}; remove one")
        lines[key] = (number, finite(words, expected, where))
    if not lines:
        raise FormatError(f"{path}: the file is empty; download it again")
    return lines


def keyed_words(path: Path, expected: str, fits: Callable[[str], bool]) -> dict[str, str]:
    """Read a file whose lines hold a key and one word.

    Args:
        path: the file.
        expected: what a line holds, for the error.
        fits: tells whether a word can stand after a key.

    Raises:
        FormatError: a line is of another form, or a key is repeated.
    """
    found: dict[str, str] = {}
    for number, words in read_words(path):
        if len(words) != 2 or not fits(words[1]):
            raise FormatError(f"{path}, line {number}: '{' '.join(words)[:40]}'; expected {expected}")
        if words[0] in found:
            raise FormatError(f"{path}, line {number}: {words[0]} is listed twice; remove one")
        found[words[0]] = words[1]
    return found


def require_keys(path: Path, listed: Container[str], keys: Iterable[str], what: str) -> None:
    """Check that a list has a line for every key. `what` names what the line holds.

    Raises:
        FormatError: a key has no line.
    """
    missing = [key for key in keys if key not in listed]
    if missing:
        fault = f"{path}: no {what} for {len(missing):,} listed images, the first is {missing[0]}"
        raise FormatError(f"{fault}; complete the list, or download it again")


def read_mat(path: Path) -> dict[str, Any]:
    """Read the variables of a .mat file (version 7.2 or older), by name.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is damaged, or not a .mat file.
    """
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the .mat file of the data set")
    try:
        return dict(loadmat(str(path)))
    except Exception as error:  # scipy raises many kinds on damaged files
        raise FormatError(f"{path}: not a readable .mat file ({type(error).__name__}); download it again") from error
