"""Find the images, videos and webcams that the inputs of a command name: files, folders and glob patterns."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.files.archives.opening import is_archive, list_inputs, together
from kpdetect.files.files_below import FilesBelow, names_below, without
from kpdetect.files.left_out import LeftOut, say_left_out
from kpdetect.files.listing import list_files
from kpdetect.files.names import is_writable, name_below, shown, spelt, unwritable
from kpdetect.images.decoding import frame_numbers, opened
from kpdetect.images.image_files import SUFFIXES, require_apart
from kpdetect.inference.clip_names import clip_names

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)
"""Endings of the names of video files."""
STACK_SUFFIXES = frozenset({".tif", ".tiff", ".gif", ".webp", ".png"})
"""Endings of the names of image files that may hold several pictures."""
WEBCAM = "webcam:"


def is_video(path: Path) -> bool:
    """Tell whether a file name has the ending of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_stack(path: Path) -> bool:
    """Tell whether an image file holds several pictures: pages of a TIFF file, or an animated GIF, WebP or PNG."""
    return bool(stacked(path))


def stacked(path: Path) -> tuple[int, ...]:
    """List the positions of the pictures in an image file that holds several, see `frame_numbers`; empty for other files."""
    suffix = path.suffix.lower()
    if suffix not in STACK_SUFFIXES or not path.is_file() or (suffix == ".png" and not _is_animated_png(path)):
        return ()
    try:
        with opened(path) as picture:
            numbers = frame_numbers(picture)
    except InputError:
        return ()  # it is read later as an image, and refused then
    return tuple(numbers) if len(numbers) > 1 else ()


def _is_animated_png(path: Path) -> bool:
    """Tell whether a PNG is animated. The chunk that says so usually follows the header, so the first bytes suffice."""
    try:
        with open(path, "rb") as file:
            return b"acTL" in file.read(256)
    except OSError:
        return False


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video file, an image file with several pictures, or a webcam.

    Attributes:
        name: name of its folder of results; unique in one command.
        source: path of the file, or number of the webcam.
        pages: positions of the pictures in an image file with several pictures; empty for a video or webcam.
    """

    name: str
    source: Path | int
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The inputs of a command, each file once.

    Attributes:
        root: folder to which the names of images are relative. All paths in this class are absolute.
        images: image files, sorted, without repetition.
        clips: videos and webcams.
        skipped: why inputs are skipped because of their names, by these names.
    """

    root: Path
    images: Sequence[Path]
    clips: list[Clip]
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        """Names of the images: POSIX paths below `root`."""
        return names_below(self.images, self.root)

    def clip_file(self, clip: Clip) -> str:
        """Return a clip's name for messages: a webcam's name, or a video's path, relative to `root` if it lies there."""
        if isinstance(clip.source, int):
            return clip.name
        path = spelt(clip.source)
        return name_below(path, self.root) if path.is_relative_to(self.root) else str(path)


def find_sources(inputs: Sequence[str], out: Path | None = None) -> Sources:
    """Sort inputs into images, videos and webcams.

    Args:
        inputs: files, folders (searched recursively), archives (`kpdetect.files.archives.opening`), glob patterns, or
            `webcam:0`. A file of unknown ending counts as an image.
        out: folder of results. Files in it are not inputs.

    Raises:
        InputError: an input does not exist, is not a file, or is `out`; a pattern fits no file; or there is no input at all.
    """
    cameras = dict.fromkeys(_camera(text) for text in inputs if text.startswith(WEBCAM))
    search = _Search(out)
    for text in _together([text for text in inputs if not text.startswith(WEBCAM)]):
        search.add(text)
    files, skipped = search.files(), search.skipped
    stacks = {file: pages for file in files if not is_video(file) and (pages := stacked(file))}
    videos = [file for file in files if is_video(file) or file in stacks]
    images = without(files, {*videos})
    if not files and not cameras:
        endings = ", ".join(sorted(SUFFIXES | VIDEO_SUFFIXES))
        known = {shown(name) for name in search.left_out.unnamed}
        others = [reason for name, reason in skipped.items() if name not in known]
        line = "; ".join(filter(None, [search.left_out.line("images or videos"), *others]))
        raise InputError(
            f"{inputs[0] if inputs else 'inputs'}: no images found, and no videos; expected files ending in {endings}"
            + (f"; {line}" if line else "")
        )
    for place, left_out in search.listed:
        say_left_out(place, left_out, "images or videos")
    single = set(images) & set(search.single) if search.single else set()
    root = _root([*search.folders, *(file.parent for file in single)])
    clips = [Clip(name=f"webcam{number}", source=number) for number in cameras]
    names = clip_names(videos, [clip.name for clip in clips])
    named = [Clip(name=name, source=file, pages=stacks.get(file, ())) for file, name in zip(videos, names, strict=True)]
    return Sources(root=root, images=images, clips=[*named, *clips], skipped=skipped)


def _together(inputs: Sequence[str]) -> Sequence[str]:
    """Replace several inputs by one, if all of them are archives. Its images then have the names that they have inside."""
    paths = [spelt(path) for text in inputs for path in (_matches_of(text) or [text])]
    path = together(paths) if paths else None
    return inputs if path is None else [str(path)]


def _matches_of(text: str) -> list[str]:
    return sorted(glob.glob(text)) if glob.has_magic(text) and not os.path.exists(text) else []


def _camera(text: str) -> int:
    number = text.removeprefix(WEBCAM)
    if not number.isdecimal():
        raise InputError(f"{text}: expected {WEBCAM}NUMBER, for example {WEBCAM}0")
    return int(number)


class _Search:
    """The search for the files that inputs name."""

    def __init__(self, out: Path | None) -> None:
        self.out = None if out is None else Path(os.path.realpath(out))
        self.folders: list[Path] = []
        self.single: list[Path] = []
        self.below: list[FilesBelow] = []
        self.left_out, self.listed = LeftOut(), list[tuple[Path, LeftOut]]()
        self.skipped: dict[str, str] = {}

    def add(self, text: str) -> None:
        """Find the files of one input."""
        path = spelt(text)
        if path.is_dir() or is_archive(path):
            self._add_folder(path)
        elif path.exists():
            if reason := _unusable(path):
                raise InputError(reason)
            self.single.append(path)
        elif not glob.has_magic(text):
            raise InputError(f"{text}: no such file or folder; check the path")
        else:
            self._add_pattern(text)

    def files(self) -> Sequence[Path]:
        """List all files, sorted. A file that is reached by several paths occurs once. Unusable names go to `skipped`."""
        if not self.single and len(self.below) == 1:  # sorted already, each file once: millions of paths need much memory
            return without(self.below[0], {path for path in self.below[0] if self._is_unusable(path)})
        folder, once = cache(os.path.realpath), dict[tuple[str, str], Path]()
        listed = chain.from_iterable(self.below)
        for path in sorted([*self.single, *listed], key=lambda path: (len(path.parts), path)):
            once.setdefault((folder(path.parent), path.name), path)
        return sorted(path for path in once.values() if not self._is_unusable(path))

    def _is_unusable(self, path: Path) -> bool:
        """Tell whether a video has a name that crashes OpenCV, and note it in `skipped`."""
        if path.suffix.lower() not in VIDEO_SUFFIXES or is_writable(str(path)):
            return False
        self.skipped[path.name] = unwritable(str(path))
        return True

    def _add_folder(self, folder: Path) -> None:
        if self.out is not None:
            require_apart(folder, self.out)
        names, left_out = list_inputs(folder, SUFFIXES | VIDEO_SUFFIXES, self.out)
        self._leave_out(folder, left_out)
        self.folders.append(folder)
        self.below.append(FilesBelow(folder, names))

    def _add_pattern(self, text: str) -> None:
        matches = [path for path in _matches(text, self) if not self._is_result(path, text)]
        if not matches and not self.skipped:
            line = self.left_out.line("images or videos")
            raise InputError(f"{text}: no file fits this pattern" + (f"; {line}" if line else ""))
        for path in matches:
            if path.is_dir() or is_archive(path):
                self._add_folder(path)
            elif reason := _unusable(path):
                self.skipped[shown(path.name)] = reason
            else:
                self.single.append(path)

    def _is_result(self, path: Path, pattern: str) -> bool:
        """Tell whether a file is in the folder of results, and its pattern does not name this folder."""
        if self.out is None or Path(os.path.realpath(_base(pattern)[0])).is_relative_to(self.out):
            return False
        return Path(os.path.realpath(path)).is_relative_to(self.out)

    def _leave_out(self, folder: Path, left_out: LeftOut) -> None:
        self.listed.append((folder, left_out))
        self.left_out.merge(left_out)
        self.skipped |= dict(map(_reason, left_out.unnamed))


def _reason(name: str) -> tuple[str, str]:
    return shown(name), unwritable(name)


def _unusable(path: Path) -> str:
    """Say why a file cannot be opened. The text is empty for a usable file, and for a dangling link, which is skipped later."""
    if not is_writable(path.name):
        return unwritable(str(path))
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        return f"{path}: this is a named pipe, socket or device; give a file, a folder or a pattern"
    return ""


def _base(pattern: str) -> tuple[Path, list[str]]:
    """Split a glob pattern into the folder that it begins with, and its other parts."""
    parts = list(Path(pattern).parts)
    count = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return spelt(Path(*parts[:count])), parts[count:]


def _matches(text: str, search: _Search) -> list[Path]:
    if "**" not in Path(text).parts:
        return sorted(spelt(name) for name in glob.glob(text))
    base, parts = _base(text)  # glob itself follows loops of links
    if not base.is_dir():
        return []
    ending = os.path.splitext(parts[-1])[1].lower()
    names, left_out = list_files(base, SUFFIXES | VIDEO_SUFFIXES | ({ending} if ending else set()), search.out)
    search.skipped |= dict(_reason(name) for name in left_out.unnamed if _fits(name.split("/"), parts))
    search.listed.append((base, left_out))
    return [base / name for name in names if _fits(name.split("/"), parts)]


def _fits(name: list[str], pattern: list[str]) -> bool:
    """Tell whether a file, or a folder that contains it, fits a pattern. File and pattern are given as lists of path parts."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_fits(name[at:], pattern[1:]) for at in range(len(name) + (len(pattern) == 1)))
    return bool(name) and fnmatchcase(name[0], pattern[0]) and _fits(name[1:], pattern[1:])


def _root(folders: Iterable[Path]) -> Path:
    """Return the folder that holds all inputs. Names of images are relative to it."""
    try:
        return Path(os.path.commonpath(list(folders) or [spelt(".")]))
    except ValueError as error:  # Windows
        raise InputError("inputs: they lie on several drives; make a separate call for each drive") from error
