"""Decide what the path of an input means: a folder, an archive, or several archives. Open archives, each once.

images.tar, images.h5, images.parquet    one archive
FILE.h5::DATASET, FILE.parquet::COLUMN   one of several data sets or columns
shard-{000000..000099}.tar, {a,b}.tar    several archives
a folder of tar or Parquet files         several archives, if the folder holds no images of its own
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.files.archives.archive import Archive, stamp_of
from kpdetect.files.archives.members import remember
from kpdetect.files.archives.several import SeveralArchives
from kpdetect.files.archives.tar_archive import TarArchive
from kpdetect.files.endings import ARCHIVES, COMPRESSED, HDF5, IMAGES, PARQUET, TAR
from kpdetect.files.left_out import LeftOut
from kpdetect.files.listing import list_files
from kpdetect.files.names import spelt

INNER = "::"
"""Text between the path of a file and the name of a data set or column in it."""
MOST = 100_000
"""Largest number of archives that braces may mean."""
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_opened: dict[str, Archive] = {}
_joined: dict[str, list[Path]] = {}
"""The files that a path of `together` means, if the text of the path alone would mean others."""
_lock = threading.RLock()


def list_inputs(folder: Path, suffixes: Collection[str], out: Path | None = None) -> tuple[Sequence[str], LeftOut]:
    """List the images of a folder or archive by name, and what is left out. See `kpdetect.files.listing.list_files`.

    Raises:
        InputError: an archive cannot be read.
    """
    archive = archive_at(folder)
    if archive is None:
        names, left_out = list_files(folder, suffixes, out)
        if names or not any(ending in TAR | PARQUET for ending in left_out.endings):
            return names, left_out
        shards, _ = list_files(folder, TAR | PARQUET, out)
        archive = _several(folder, [(folder / name, None) for name in shards], _labels(shards))
    return archive.names, archive.left_out


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder, or an archive, which is used like a folder.

    Raises:
        InputError: an archive cannot be read.
    """
    return path.is_dir() or archive_at(path) is not None


def reopened(folder: Path, name: str) -> bool:
    """Open a folder or archive of earlier results again, so that its images can be read by their paths.

    Args:
        folder: the folder or archive.
        name: name of one of its images. A folder that holds this file need not be listed.

    Returns:
        Whether the folder or archive is still there.
    """
    if (folder / name).is_file():
        return True
    try:
        if not is_folder(folder):
            return False
        list_inputs(folder, IMAGES)
    except InputError:
        return False
    return True


def archive_at(path: Path) -> Archive | None:
    """Open the archive or archives that a path means; None if it means none. A folder means none.

    Raises:
        InputError: an archive cannot be read, is missing, or is compressed.
    """
    files = _files(path)
    if not files:
        return None
    return _several(path, files, _labels([file.name for file, _ in files]))


def together(paths: Sequence[Path]) -> Path | None:
    """Return one path that means all of several archives; None if one of the paths is no archive, or names a data set."""
    files = [file for path in paths for file in _files(path) or [(path, INNER)]]
    if any(inner is not None for _, inner in files):
        return None
    once = list(dict.fromkeys(file for file, _ in files))
    if len(once) == 1:
        return once[0]
    above = Path(os.path.commonpath([file.parent for file in once]))
    path = above / ("{" + ",".join(file.relative_to(above).as_posix() for file in once) + "}")
    if _files(path) != [(file, None) for file in once]:  # a comma, a brace or "::" in a name
        _joined[str(path)] = once
    return path


def is_archive(path: Path) -> bool:
    """Tell whether a path is written as that of an archive or several. Nothing is opened."""
    return bool(_files(path))


def _several(path: Path, files: Sequence[tuple[Path, str | None]], labels: Sequence[str]) -> Archive:
    with _lock:
        known = _opened.get(str(path))
        try:
            if known is not None and known.stamp == stamp_of(*(file for file, _ in files)):
                return known
        except OSError:
            pass  # opening says which file is missing
        if len(files) == 1 and (path == files[0][0] or files[0][1] is not None):
            archive = _open(path, *files[0])
        else:
            archive = SeveralArchives(path, [_open(file, file, inner) for file, inner in files], labels)
        _opened[str(path)] = archive
        remember({str(path), str(spelt(path)), os.path.realpath(path)}, archive)
        return archive


def _open(path: Path, file: Path, inner: str | None) -> Archive:
    if not file.exists():
        raise InputError(f"{file}: no such file; check the path")
    ending = file.suffix.lower()
    if ending in TAR:
        return TarArchive(file)
    if ending in HDF5:
        from kpdetect.files.archives.hdf5_archive import Hdf5Archive

        return Hdf5Archive(path, file, inner)
    from kpdetect.files.archives.parquet_archive import ParquetArchive

    return ParquetArchive(path, file, inner)


def _files(path: Path) -> list[tuple[Path, str | None]]:
    """List the files of the archives that a path means, with the data set or column in each."""
    text = str(path)
    if text in _joined:
        return [(file, None) for file in _joined[text]]
    if path.is_file():
        if path.name.lower().endswith(COMPRESSED):
            raise InputError(
                f"{path}: images in a compressed archive cannot be read; unpack it, or make an uncompressed tar file"
            )
        return [(path, None)] if path.suffix.lower() in ARCHIVES else []
    if INNER not in text and "{" not in text or path.is_dir():
        return []
    before, _, inner = text.partition(INNER)
    files = [Path(name) for name in _expanded(before)]
    allowed = HDF5 | PARQUET if inner else ARCHIVES
    if any(file.suffix.lower() not in allowed for file in files):
        return []
    return [(file, inner or None) for file in files]


def _expanded(text: str) -> Iterator[str]:
    """Yield the texts that a text with braces means, as a shell does: {a,b} means a and b, {08..10} means 08, 09 and 10."""
    match = _BRACES.search(text)
    if match is None:
        yield text
        return
    if found := _RANGE.fullmatch(match[1]):
        first, last = int(found[1]), int(found[2])
        if abs(last - first) >= MOST:
            raise InputError(f"{text}: these are more than {MOST:,} files; give fewer")
        step, digits = (1 if last >= first else -1), len(found[1])
        words = [f"{number:0{digits}d}" for number in range(first, last + step, step)]
    else:
        words = match[1].split(",")
    for word in words:
        yield from _expanded(text[: match.start()] + word + text[match.end() :])


def _labels(names: Sequence[str]) -> list[str]:
    """Return a label for each archive: its name without the ending, or with it if labels would be equal."""
    short = [os.path.splitext(name)[0] for name in names]
    if len(set(short)) == len(names):
        return short
    return list(names) if len(set(names)) == len(names) else [f"{number:04d}-{name}" for number, name in enumerate(names)]
