"""Annotations in text files of words and numbers, and in MATLAB files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpdetect.errors import FormatError, InputError

Line = tuple[int, list[str]]
"""Number of a line and its words."""


def read_words(path: Path) -> list[Line]:
    """The lines that are not empty.

    Raises:
        FormatError: missing, or no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a readable text file; download it again") from error
    return [(number, words) for number, line in enumerate(lines, start=1) if (words := line.split())]


def finite(words: Sequence[str], expected: int, where: str) -> list[float]:
    """Words as finite numbers.

    Raises:
        FormatError: another count, or a word that is not a finite number; begins with `where`.
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
    """Lines of a key and `expected` numbers, by key, with the number of the line.

    Raises:
        FormatError: other counts, values that are not finite numbers, or a repeated key.
    """
    found: dict[str, tuple[int, list[float]]] = {}
    for number, (key, *words) in read_words(path):
        where = f"{path}, line {number}"
        if key in found:
            raise FormatError(f"{where}: {key} is listed twice, first on line {found[key][0]}; remove one")
        found[key] = (number, finite(words, expected, where))
    if not found:
        raise FormatError(f"{path}: no lines; download it again")
    return found


def read_mat(path: Path) -> dict[str, Any]:
    """The variables of a .mat file (version 7.2 or older) by name.

    Raises:
        InputError: no such file.
        FormatError: damaged, or no .mat file.
    """
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the data set's own .mat file")
    try:
        return dict(loadmat(str(path)))
    except Exception as error:  # scipy raises many kinds on damaged files
        raise FormatError(f"{path}: not a readable .mat file ({type(error).__name__}); download it again") from error
