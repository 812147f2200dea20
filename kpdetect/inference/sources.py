"""What the inputs of a command are: images, videos and webcams, from files, folders and glob patterns."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.images import SUFFIXES, walk_files

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mpg", ".mpeg", ".wmv"})
WEBCAM = "webcam:"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video file, or a webcam.

    Attributes:
        name: of its folder among the results; unique in one command.
        source: path of the file, or number of the webcam.
    """

    name: str
    source: Path | int


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The inputs of a command.

    Attributes:
        root: folder to which the names of images are relative.
        images: sorted, without repetition.
        clips: videos and webcams.
    """

    root: Path
    images: list[Path]
    clips: list[Clip]

    @property
    def names(self) -> list[str]:
        """Names of the images: POSIX paths below `root`."""
        return [image_name(image, self.root) for image in self.images]

    def clip_file(self, clip: Clip) -> str:
        """Path of a video below `root`, as images are named; as it was given where it lies elsewhere; name of a webcam."""
        if isinstance(clip.source, int):
            return clip.name
        inside = clip.source.absolute().is_relative_to(self.root.absolute())
        return image_name(clip.source, self.root) if inside else str(clip.source)


def image_name(path: Path, root: Path) -> str:
    """What an image is called in results: its POSIX path below `root`."""
    inside = path if path.is_relative_to(root) else path.absolute()
    return inside.relative_to(root if path.is_relative_to(root) else root.absolute()).as_posix()


def find_sources(inputs: Sequence[str], out: Path | None = None) -> Sources:
    """Sort inputs into images, videos and webcams.

    Args:
        inputs: files, folders (searched recursively), glob patterns, or `webcam:0`. A file of unknown ending is taken for an
            image.
        out: folder of results; nothing in it is an input.

    Raises:
        InputError: an input does not exist, a pattern fits nothing, or there is nothing to predict.
    """
    cameras = [_camera(text) for text in inputs if text.startswith(WEBCAM)]
    given = [path for text in inputs if not text.startswith(WEBCAM) for path in _paths(text)]
    files = sorted({file for path in given for file in _files(path, out)})
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    images = [file for file in files if file.suffix.lower() not in VIDEO_SUFFIXES]
    if not files and not cameras:
        endings = ", ".join(sorted(SUFFIXES | VIDEO_SUFFIXES))
        raise InputError(
            f"{inputs[0] if inputs else 'inputs'}: no images found, nor videos; expected files ending in {endings}"
        )
    root = _root([path for path in given if path.is_dir() or path in set(images)])
    clips = [Clip(name=f"webcam{number}", source=number) for number in cameras]
    return Sources(root=root, images=images, clips=[*_named(videos), *clips])


def _camera(text: str) -> int:
    number = text.removeprefix(WEBCAM)
    if not number.isdecimal():
        raise InputError(f"{text}: expected {WEBCAM}NUMBER, for example {WEBCAM}0")
    return int(number)


def _paths(text: str) -> list[Path]:
    path = Path(text)
    if path.exists():
        return [path]
    if not glob.has_magic(text):
        raise InputError(f"{text}: no such file or folder")
    found = sorted(Path(name) for name in glob.glob(text, recursive=True))
    if not found:
        raise InputError(f"{text}: no file fits this pattern")
    return found


def _files(path: Path, out: Path | None) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    results = None if out is None else out.resolve()
    found = walk_files(path, SUFFIXES | VIDEO_SUFFIXES)
    return [file for file in found if results is None or not file.resolve().is_relative_to(results)]


def _root(given: Sequence[Path]) -> Path:
    """The folder that holds all inputs; names of images are relative to it."""
    folders = [path if path.is_dir() else path.parent for path in given]
    if len(set(folders)) == 1:
        return folders[0]
    return Path(os.path.commonpath([folder.absolute() for folder in folders])) if folders else Path()


def _named(videos: Sequence[Path]) -> list[Clip]:
    """Videos by their name without its ending; those that would share one get parent folder, ending or number too."""
    names = [video.stem for video in videos]
    for rename in (lambda video: f"{video.parent.name}-{video.stem}", lambda video: video.name.replace(".", "-")):
        counts = Counter(names)
        names = [rename(video) if counts[name] > 1 else name for video, name in zip(videos, names, strict=True)]
    seen: Counter[str] = Counter()
    clips = []
    for video, name in zip(videos, names, strict=True):
        seen[name] += 1
        clips.append(Clip(name=name if seen[name] == 1 else f"{name}-{seen[name]}", source=video))
    return clips
