"""Lists of image names, one name per line, in the spellings that people and programs use.

A file is UTF-8, with or without a byte-order mark, with any line endings. kpdetect tries to read a line in these ways, in this
order, and uses the first one that matches an image:
    exact          the path relative to the folder of images; a bare file name matches a file in any subfolder
    cleaned        without surrounding spaces or quotation marks, with `/` for a backslash, without `./`
    other folder   an absolute path, a path relative to the working folder, or a path that begins with the last parts of the
    folder's path
    loose          with other upper or lower case, or another image ending; only if exactly one image matches
    first word     the first word of the line, for lists with columns
Names are compared in Unicode's composed form (NFC), because macOS may write another form.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from kpdetect.errors import FormatError, InputError
from kpdetect.files.name_table import NameTable
from kpdetect.images.image_files import SUFFIXES, list_names
from kpdetect.messages import log

EXAMPLES = 3
"""Largest number of names that a message shows."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The images that a line of a list means.

    Attributes:
        line: the line in the file.
        names: names of the images, as the folder spells them. Empty if no name matches, or if the match is ambiguous.
        loose: whether the line matches only with another image ending, or with other upper or lower case.
        several: the names that match, if more than one name matches loosely.
    """

    line: str
    names: tuple[str, ...] = ()
    loose: bool = False
    several: tuple[str, ...] = ()


class NameIndex:
    """An index of images by name that accepts several spellings.

    Args:
        names: names of the images, as POSIX paths.
        folder: folder of the images. If it is given, lists may hold absolute paths and paths from other folders.
    """

    def __init__(self, names: Iterable[str], folder: Path | None = None) -> None:
        self.names = list(names)
        self._above = None if folder is None else composed(Path(os.path.abspath(folder)).as_posix())
        self._real = None if folder is None else composed(Path(os.path.realpath(folder)).as_posix())
        self._paths = self._by(composed)
        self._files = self._by(lambda name: composed(_file(name)))

    def __call__(self, line: str, *, loosely: bool = True, words: bool = True, paths_first: bool = False) -> Fit:
        """Find the images that a line means.

        Args:
            line: a line of a list.
            loosely: also accept other image endings, and other upper or lower case.
            words: also try the first word of the line. Tables do not use this, because their cells are complete names.
            paths_first: a line that is the path of an image means this image alone, even if files in subfolders have its name.
        """
        if paths_first:
            for form, _ in self._forms(line):
                if exact := self._paths.get(form):
                    return Fit(line=line, names=tuple(exact))
        for text in dict.fromkeys((line, *line.split()[:1])) if words else (line,):
            if names := next(filter(None, (self._exactly(*form) for form in self._forms(text))), ()):
                return Fit(line=line, names=tuple(names))
            if loosely and (text == line or _ending(text)):
                fits = (self._loosely(*form) for form in self._forms(text))
                if names := next(filter(None, fits), ()):
                    one = len({composed(_file(name)) for name in names}) == 1 and ("/" not in text or len(names) == 1)
                    return Fit(line=line, names=tuple(names), loose=True) if one else Fit(line=line, several=tuple(names))
        return Fit(line=line)

    def _exactly(self, form: str, anywhere: bool) -> Sequence[str]:
        return (self._files if anywhere else self._paths).get(form, ())

    def _loosely(self, form: str, anywhere: bool) -> Sequence[str]:
        cased, bare = self._folded[anywhere]
        return cased.get(form.casefold()) or bare.get(_without_ending(form).casefold()) or ()

    @cached_property
    def _folded(self) -> Mapping[bool, tuple[Mapping[str, list[str]], Mapping[str, list[str]]]]:
        """The images by lower-case path (key False) and by lower-case file name (key True).

        Each value has two mappings: with the ending and without it.
        """
        folded = {}
        for anywhere, part in ((False, str), (True, _file)):
            cased = self._by(lambda name, part=part: composed(part(name)).casefold())  # type: ignore[misc]
            bare = self._by(lambda name, part=part: _without_ending(composed(part(name))).casefold())  # type: ignore[misc]
            folded[anywhere] = cased, bare
        return folded

    def _by(self, key: Callable[[str], str]) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            names[key(name)].append(name)
        return dict(names)

    def _forms(self, text: str) -> Iterator[tuple[str, bool]]:
        """Yield the names that a text may mean, in composed form, each with whether it may lie in any folder."""
        text = composed(text)
        bare = text.strip()
        bare = bare[1:-1].strip() if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "\"'" else bare
        slashed = bare.replace("\\", "/")
        plain = posixpath.normpath(slashed) if slashed else ""
        yield from ((form, "/" not in form) for form in dict.fromkeys((text, bare, slashed, plain)) if form)
        if self._above is not None and self._real is not None and plain:
            yield from ((form, False) for form in _from_elsewhere(plain, self._above, self._real))


def _from_elsewhere(text: str, above: str, real: str) -> Iterator[str]:
    """Yield the relative paths that a path from another folder may mean.

    `above` is the folder of images, and `real` is the same folder with links resolved.
    """
    whole = Path(os.path.abspath(text)).as_posix()
    for folder in (above, real):
        base = folder.rstrip("/") + "/"
        if whole.startswith(base):
            yield whole[len(base) :]
    parts, folders = PurePosixPath(text).parts, PurePosixPath(above).parts
    for count in range(1, len(parts)):
        if parts[:count] == folders[-count:]:
            yield "/".join(parts[count:])


def composed(name: str) -> str:
    """Convert a name to Unicode's composed form (NFC)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def read_lines(path: Path, parameter: str) -> list[str]:
    """Read the lines of a list, without blank ones.

    Raises:
        InputError: the file is missing, is not a text file, or is empty.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"`{parameter}={path}`: the file cannot be read; expected a text file in UTF-8, one image name per line"
        ) from error
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    if not lines:
        raise InputError(f"`{parameter}={path}`: the file is empty; expected one image name per line")
    return lines


def excluded_names(folder: Path, lists: Iterable[Path], *, report: bool = True) -> frozenset[str]:
    """Find the images of a folder that lists exclude, as paths relative to the folder.

    Args:
        folder: folder of images, searched recursively.
        lists: text files of names, see the docstring of this module.
        report: log the names that match no image, or match only loosely.

    Raises:
        InputError: a list cannot be read, is empty, or matches no image of the folder; or there are no images.
    """
    lists = list(lists)
    if not lists:
        return frozenset()
    index = NameIndex(list_names(folder), folder)
    names: set[str] = set()
    for path in lists:
        fits = [index(line) for line in read_lines(path, "exclude_list")]
        if not any(fit.names for fit in fits):
            raise InputError(
                f"`exclude_list={path}`: {_missing(fits, len(fits), folder)}; give a list of these images, or no list"
            )
        if report:
            _report(path, folder, fits)
        names.update(name for fit in fits for name in fit.names)
    return frozenset(names)


def listed_names(path: Path, known: Sequence[str], parameter: str, where: str) -> list[str]:
    """Read the names of a list, in its order. Each line must match exactly one known name.

    Args:
        path: the list.
        known: the known names, as POSIX paths.
        parameter: name of the parameter that holds the list. Error messages mention it.
        where: file or folder of the known names. Error messages mention it.

    Raises:
        InputError: the list cannot be read or is empty.
        FormatError: a line matches no name or several names, or two lines match the same name.
    """
    index, first = NameIndex(known), dict[str, str]()
    fits = [index(line, loosely=False, paths_first=True) for line in read_lines(path, parameter)]
    if absent := [fit for fit in fits if not fit.names]:
        raise FormatError(f"`{parameter}={path}`: {_missing(absent, len(fits), where)}; correct or remove them")
    for fit in fits:
        name, line = fit.names[0], fit.line.strip()
        if len(fit.names) > 1:
            raise FormatError(f"`{parameter}={path}`: {line} can mean {fit.names[0]} or {fit.names[1]}; write the whole path")
        if name in first:
            raise FormatError(f"`{parameter}={path}`: {line} occurs twice ({first[name]}, {line}); remove one")
        first[name] = line
    return list(first)


def without(names: Sequence[str], exclude: Collection[str]) -> Sequence[str]:
    """Remove the names that match an entry of `exclude`.

    An entry that is the path of an image means this image alone. Another entry without a folder matches every file of that
    name.

    Args:
        names: names of images, as paths relative to a folder.
        exclude: names of images to leave out.
    """
    if not exclude:
        return names
    index = NameIndex(names)
    left_out = {name for entry in exclude for name in index(entry, paths_first=True).names}
    return NameTable(name for name in names if name not in left_out)


def _report(path: Path, folder: Path, fits: Sequence[Fit]) -> None:
    absent = [fit for fit in fits if not fit.names]
    if absent:
        log.warning(f"`exclude_list={path}`: {_missing(absent, len(fits), folder)}")
    loose = [f"{fit.line.strip()} matches {fit.names[0]}" for fit in fits if fit.loose]
    if loose:
        log.info(
            f"note: `exclude_list={path}`: {_count(len(loose))} matched with another ending, or other upper and lower case: "
            f"{_first(loose)}"
        )


def _missing(absent: Sequence[Fit], lines: int, folder: Path | str) -> str:
    """Describe how many of `lines` names match no image of a folder, and name the first ones."""
    shown = [fit.line.strip() + (f" (it could be {' or '.join(fit.several[:2])})" if fit.several else "") for fit in absent]
    if lines == 1:
        part = "its only name is not"
    elif len(absent) == lines:
        part = f"none of its {_count(lines)} is"
    else:
        part = f"{len(absent):,} of its {_count(lines)} {'is' if len(absent) == 1 else 'are'} not"
    return f"{part} in {folder}: {_first(shown)}"


def _count(names: int) -> str:
    return f"{names:,} name{'' if names == 1 else 's'}"


def _first(shown: Sequence[str]) -> str:
    return ", ".join(shown[:EXAMPLES]) + (", ..." if len(shown) > EXAMPLES else "")


def _file(name: str) -> str:
    return name.rpartition("/")[2]


def _ending(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _without_ending(name: str) -> str:
    return os.path.splitext(name)[0] if _ending(name) else name
