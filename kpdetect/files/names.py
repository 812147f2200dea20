"""Names of files: names of inputs, and paths of results that stay inside their folder.

Paths are spelt in one way (`spelt`): absolute, without `.` and `..`, and with links not resolved. The path of a result that is
named after an input comes from `below`, which refuses names that lead out of the folder.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from kpdetect.errors import InputError, KpdetectError, OutputError

_UNWRITABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and the code points that stand for bytes that are not UTF-8."""
_FORMULA = ("=", "+", "-", "@")
"""A spreadsheet reads a cell that begins with one of these characters as a formula."""


def as_path(path: Path | str | None) -> Path | None:
    """Convert a text to a path. None stays None."""
    return None if path is None else Path(path)


def spelt(path: Path | str) -> Path:
    """Spell a path as absolute, without `.` and `..`. Links are not resolved, unless `..` follows a link."""
    plain = os.path.abspath(path)
    if ".." in Path(path).parts and os.path.realpath(plain) != os.path.realpath(path):  # `..` follows a link
        return Path(os.path.realpath(path))
    return Path(plain)


def name_below(path: Path, root: Path) -> str:
    """Return the POSIX path of a file relative to a folder, however both are spelt.

    Raises:
        InputError: the file lies outside the folder.
    """
    if ".." not in path.parts:
        with suppress(ValueError):  # faster than to ask first
            return path.relative_to(root).as_posix()
    path, root = spelt(path), spelt(root)
    if not path.is_relative_to(root):
        raise InputError(f"{path}: this input lies outside of {root}; give a folder that holds all inputs")
    return path.relative_to(root).as_posix()


def leads_out(name: str) -> bool:
    """Tell whether a name may leave its folder: it is empty, absolute or contains `..`, or some system does not accept it."""
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    absolute = name.startswith(("/", "\\")) or (os.name == "nt" and bool(PureWindowsPath(name).drive))
    return not name.strip() or absolute or ".." in parts or "\0" in name or name in (".", "./")


def below(folder: Path, name: str) -> Path:
    """Return the path in `folder` of a result that is named after an input.

    Raises:
        OutputError: the name leads out of the folder.
    """
    if leads_out(name):
        raise OutputError(f"{folder}: '{shown(name)}' would be written outside of this folder; rename the input")
    return folder / name


def component(stem: str, name: str) -> str:
    """Make a folder name from the stem of a file name. If the stem has only dots, use `name` with dashes instead of dots."""
    return stem if stem.strip(". ") else name.replace(".", "-")


def is_writable(name: str) -> bool:
    """Tell whether a name can be written into tables: it is valid UTF-8, without control characters and line ends."""
    return not _UNWRITABLE.search(name)


def is_text(name: str) -> bool:
    """Tell whether a name is valid UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def shown(name: str) -> str:
    """Escape control characters in a name, and bytes that are not UTF-8 (as \\xe9), for messages."""

    def escaped(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code & 0xFF:02x}" if code < 0x100 or 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"

    return _UNWRITABLE.sub(escaped, name)


def unwritable(name: str) -> str:
    """Describe why a file with a name that cannot be written into tables is not used."""
    return f"{shown(name)}: the name is not UTF-8, or holds a control character; rename the file"


def plain_path(path: Path, refused: type[KpdetectError] = InputError) -> str:
    """Make a path for OpenCV and FFmpeg. It is absolute, because they read `10:30.mp4` as a protocol.

    Paths that are not UTF-8 are refused, because OpenCV and FFmpeg crash on them.

    Raises:
        KpdetectError: of the type `refused`; the path is not UTF-8.
    """
    if not is_text(whole := os.path.abspath(path)):
        raise refused(f"{shown(whole)}: the name is not UTF-8, which videos need; rename it")
    return whole


def to_cell(name: str) -> str:
    """Write a file's name as a cell of a CSV file.

    `./` is put before a name that begins with =, +, - or @, because a spreadsheet would run the name as a formula. `./=a.png`
    is a path of the same file. `from_cell` removes the `./`."""
    return f"./{name}" if name.startswith(_FORMULA) else name


def from_cell(cell: str) -> str:
    """Return the name that `to_cell` wrote into a cell."""
    return cell[2:] if cell.startswith("./") and cell[2:].startswith(_FORMULA) else cell


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet would read a cell with this text as a formula."""
    return text.startswith(_FORMULA)
