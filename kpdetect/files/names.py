"""Names of files: how inputs become names, and how names become paths that stay inside their folder.

Every file is spelt in one way: absolute, without `.` and `..`, links kept. Every result that is named after an input is
written to a path from `below`, which refuses names that lead out of the folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from kpdetect.errors import InputError, KpdetectError, OutputError

_UNWRITABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and what stands for bytes that are no UTF-8."""
_FORMULA = ("=", "+", "-", "@")
"""How a cell begins that spreadsheets take for a formula."""


def as_path(path: Path | str | None) -> Path | None:
    """A path of a caller's, who may give text or nothing."""
    return None if path is None else Path(path)


def spelt(path: Path | str) -> Path:
    """The one spelling of a path: absolute, without `.` and `..`. Links are kept, save where `..` goes up from one."""
    plain = os.path.abspath(path)
    if ".." in Path(path).parts and os.path.realpath(plain) != os.path.realpath(path):  # the folder above the link's target
        return Path(os.path.realpath(path))
    return Path(plain)


def name_below(path: Path, root: Path) -> str:
    """POSIX path of a file below a folder, however both are spelt.

    Raises:
        InputError: it lies elsewhere.
    """
    if not path.is_relative_to(root) or ".." in path.parts:
        path, root = spelt(path), spelt(root)
    if not path.is_relative_to(root):
        raise InputError(f"{path}: this input lies outside of {root}; give a folder that holds all inputs")
    return path.relative_to(root).as_posix()


def leads_out(name: str) -> bool:
    """Whether a name is empty, absolute, climbs with `..` (however separated), or is none that a system accepts."""
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    absolute = name.startswith(("/", "\\")) or (os.name == "nt" and bool(PureWindowsPath(name).drive))
    return not name.strip() or absolute or ".." in parts or "\0" in name or name in (".", "./")


def below(folder: Path, name: str) -> Path:
    """Path of a result named after an input.

    Raises:
        OutputError: the name would lead out of the folder.
    """
    if leads_out(name):
        raise OutputError(f"{folder}: '{shown(name)}' would be written outside of this folder; rename the input")
    return folder / name


def component(stem: str, name: str) -> str:
    """A stem as the name of a folder: the file's whole name, its dots as dashes, where the stem consists of dots alone."""
    return stem if stem.strip(". ") else name.replace(".", "-")


def is_writable(name: str) -> bool:
    """Whether a name can be written into tables and lists: no control character, no line end, nothing but UTF-8."""
    return not _UNWRITABLE.search(name)


def is_text(name: str) -> bool:
    """Whether a name is UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def shown(name: str) -> str:
    """A name for messages: what cannot be written is escaped, bytes that are no UTF-8 as \\xe9."""

    def escaped(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code & 0xFF:02x}" if code < 0x100 or 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"

    return _UNWRITABLE.sub(escaped, name)


def unwritable(name: str) -> str:
    """Why a file of such a name is not used."""
    return f"{shown(name)}: its name is not UTF-8, or holds a control character; rename it"


def plain_path(path: Path, refused: type[KpdetectError] = InputError) -> str:
    """A path for OpenCV and FFmpeg: absolute, since they take `10:30.mp4` for a protocol; they crash of what is not UTF-8.

    Raises:
        KpdetectError: `refused`; the path is not UTF-8.
    """
    if not is_text(whole := os.path.abspath(path)):
        raise refused(f"{shown(whole)}: the name is not UTF-8, which videos need; rename it")
    return whole


def to_cell(name: str) -> str:
    """A file's name as a cell of a CSV: one that begins with =, +, - or @ gets `./` in front, or a spreadsheet would run it.

    `./=a.png` is the path of the same file; `from_cell` takes the `./` away.
    """
    return f"./{name}" if name.startswith(_FORMULA) else name


def from_cell(cell: str) -> str:
    """The name that `to_cell` was given."""
    return cell[2:] if cell.startswith("./") and cell[2:].startswith(_FORMULA) else cell


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take a cell of this text for a formula."""
    return text.startswith(_FORMULA)
