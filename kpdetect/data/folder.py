"""The cache of a folder of images. The images are decoded once into one file, which is then memory-mapped.

images.h5     images uint8 [count, side, side, 3] (contiguous), names, sha256 of each file; attributes `key` and `stamp`
images.stamp  key, and a newer stamp if the same images have since been copied or their times have changed
sources.csv   list of the images in the cache
skipped.csv   unreadable files, with the reasons
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from kpdetect.data.cache_file import SquareFile
from kpdetect.data.crop_sources import originals
from kpdetect.data.name_lists import without
from kpdetect.data.skipped_images import write_skipped
from kpdetect.errors import ConfigError, FormatError, InputError
from kpdetect.files.archives.members import size_and_time
from kpdetect.files.atomic import replacing, write_text
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.hdf5 import array_of, opened_hdf5
from kpdetect.files.hdf5_guard import written_here
from kpdetect.files.name_table import NameTable
from kpdetect.files.sources import read_sources, write_sources
from kpdetect.images.arrays import CropPolicy, Image, fit_image
from kpdetect.images.image_files import list_names, read_image
from kpdetect.images.levels import AUTO, current_levels
from kpdetect.messages import log
from kpdetect.progress import Progress

MIN_IMAGES = 16
"""Smallest number of images. Training is refused with fewer."""
TRAINING = f"training needs at least {MIN_IMAGES} (better a few thousand)"
STAMP = ".stamp"
BLOCK = 10_000
"""Number of names that are written at a time."""
UNREADABLE = "unreadable"
"""Text in place of the hash of a file that cannot be read."""
Result = TypeVar("Result")


def select_images(
    folder: Path, exclude: set[str], out: Path | None = None, *, least: int = MIN_IMAGES, needs: str = TRAINING
) -> Sequence[str]:
    """List the names of the images of a folder, without those that `exclude` names (see `name_lists.without`).

    Args:
        folder: folder of images, searched recursively.
        exclude: names to leave out.
        out: folder of results. Files in it are not inputs.
        least: smallest number of images.
        needs: the reason for it, for the message.

    Raises:
        InputError: there is no folder, there are no images, or too few remain.
    """
    return _kept(folder, list_names(folder, out), exclude, least, needs)


def require_readable(count: int, folder: Path | str, reason: str) -> None:
    """Raise InputError if too few images are readable for training. `reason` says why the first other one is unreadable."""
    if count < MIN_IMAGES:
        raise InputError(f"{folder}: {count} readable images; {TRAINING}; the first unreadable one: {reason}")


def _kept(
    folder: Path, names: Sequence[str], exclude: set[str], least: int = MIN_IMAGES, needs: str = TRAINING
) -> Sequence[str]:
    kept = without(names, exclude)
    if len(kept) < least:
        left = f" after leaving out {len(names) - len(kept)}" if len(kept) < len(names) else ""
        raise InputError(f"{folder}: {len(kept)} image{'s' if len(kept) != 1 else ''}{left}; {needs}")
    return kept


def content_key(names: Iterable[str], hashes: Iterable[str], side: int, policy: CropPolicy) -> str:
    """Compute a hash of the image files' names and contents, and of the settings of reading and cropping."""
    digest = hashlib.sha256(_fitting(side, policy).encode())
    for name, content in zip(names, hashes, strict=True):
        digest.update(f"\n{name}\t{content}".encode())
    return digest.hexdigest()[:16]


def _fitting(side: int, policy: CropPolicy) -> str:
    """Describe the settings by which images become square and 8-bit. Levels of `auto`, the default, are not named."""
    levels = current_levels().text
    return f"{side}/{policy}" if levels == AUTO else f"{side}/{policy}/{levels}"


class ImageCache:
    """The memory-mapped images of a finished cache.

    Attributes:
        images: uint8 [count, side, side, 3].
        key: hash of the contents, see `content_key`.
        stamp: the value of `Chosen.stamp` when the image files were last read. Empty in caches of earlier versions.
    """

    def __init__(self, path: Path) -> None:
        advice = "the image cache is damaged"
        with opened_hdf5(path, FormatError, advice) as file:
            self.key = str(file.attrs["key"])
            self.stamp = _later_stamp(path, self.key) or str(file.attrs.get("stamp", ""))
            data = array_of(file, "images", np.uint8, (None, None, None, 3), most=path.stat().st_size)
            shape, offset = data.shape, data.id.get_offset()
            if offset is None or data.size == 0 or offset + data.size > path.stat().st_size:
                raise ValueError("the images are not stored as one uncompressed block")
            self.images: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=shape)

    def __len__(self) -> int:
        return len(self.images)


def _later_stamp(path: Path, key: str) -> str:
    """Read the stamp from the file next to a cache; empty if there is no such file, or it belongs to another key."""
    try:
        words = path.with_suffix(STAMP).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return ""
    return words[1] if len(words) == 2 and words[0] == key else ""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The images that a cache is made from.

    Attributes:
        folder: folder of the images.
        names: names of the images, relative to the folder.
        side: side of the square images in pixels.
        policy: crop policy.
    """

    folder: Path
    names: Sequence[str]
    side: int
    policy: CropPolicy

    def stamp(self) -> str:
        """Compute a hash of the files' names, sizes and times. While it stays equal, they need not be read again."""
        digest = hashlib.sha256(_fitting(self.side, self.policy).encode())
        for name in self.names:
            try:
                size, time = size_and_time(self.folder / name)
                digest.update(f"\n{name}\t{size}\t{time}".encode())
            except OSError:
                digest.update(f"\n{name}\t{UNREADABLE}".encode())
        return digest.hexdigest()[:16]

    def key(self) -> str:
        """Compute the key of a cache of these images. This reads every file."""
        return content_key(self.names, _ahead(self._hash, self.names), self.side, self.policy)

    def decoded(self) -> Iterator[tuple[str, Image | InputError]]:
        """Yield, in order, the hash of each file and its square image, or the error if it cannot be read."""
        return _ahead(self._decode, self.names)

    def _hash(self, name: str) -> str:
        try:
            return file_hash(self.folder / name)
        except (InputError, OSError):
            return UNREADABLE

    def _decode(self, name: str) -> tuple[str, Image | InputError]:
        path = self.folder / name
        try:
            return self._hash(name), fit_image(read_image(path), self.side, self.policy)[0]
        except InputError as error:
            return self._hash(name), error
        except OSError as error:
            return UNREADABLE, InputError(f"{path}: cannot be read ({error.strerror})")


def _ahead(work: Callable[[str], Result], names: Iterable[str]) -> Iterator[Result]:
    """Apply `work` to the names in a few threads, and yield the results in order. Memory holds few results."""
    remaining = iter(names)
    with ThreadPoolExecutor(max_workers=4) as pool:
        while block := list(islice(remaining, 256)):
            yield from pool.map(work, block)


def build_cache(
    folder: Path,
    out: Path,
    side: int,
    policy: CropPolicy,
    exclude: set[str],
    *,
    strict: bool = False,
    expected_key: str | None = None,
) -> ImageCache:
    """Decode the images of a folder into `out`/images.h5, or reuse the file if it holds the same images.

    Args:
        folder: folder of images, searched recursively.
        out: folder of the cache.
        side: side of the square images in pixels.
        policy: crop policy.
        exclude: names to leave out.
        strict: stop at an unreadable image instead of skipping it.
        expected_key: key of the images on which the training was begun that is now continued; None for a new training.

    Raises:
        InputError: there are no usable images, none of the names in `exclude` exists, or, with `strict`, one is unreadable.
        ConfigError: the key of the images differs from `expected_key`; no file is changed.
        OutputError: the cache cannot be written.
    """
    listed = list_names(folder, out)
    chosen = Chosen(folder=folder, names=_kept(folder, listed, exclude), side=side, policy=policy)
    if exclude and len(chosen.names) == len(listed):
        raise InputError(
            f"{folder}: none of the {len(exclude):,} names to leave out is in this folder; the first one is {min(exclude)}"
        )
    target, stamp = out / "images.h5", chosen.stamp()
    cache = _whole_cache(target)
    if cache is not None and cache.stamp == stamp and expected_key in (None, cache.key):
        return cache
    if cache is not None and not cache.stamp and cache.key == expected_key:
        return cache  # a cache of an earlier version has no stamp, and is taken as current
    key = chosen.key() if cache is not None or expected_key is not None else None
    if expected_key is not None and key != expected_key:
        raise ConfigError(
            f"{out}: this run was trained on other images (files were added, removed or changed, others are excluded, or "
            "`levels` differs); give another `out`, or the same images to continue"
        )
    if cache is not None and cache.key == key:  # the files were copied, or only their times have changed
        write_text(target.with_suffix(STAMP), f"{key} {stamp}\n")  # in a separate file, because HDF5 would write in place
        return cache
    make_folder(out)
    behind = originals(chosen.folder, listed, chosen.names)
    behind += [] if expected_key is None else read_sources(out)  # a continued run may have started from weights of other images
    _write_cache(chosen, target, stamp, strict, behind)
    written_here(target)
    return ImageCache(target)


def _whole_cache(path: Path) -> ImageCache | None:
    """Open the existing cache; None if there is none, or it is damaged."""
    if not path.exists():
        return None
    try:
        return ImageCache(path)
    except FormatError as error:
        log.warning(f"{error}; it is rebuilt from the images")
        return None


def _write_cache(chosen: Chosen, target: Path, stamp: str, strict: bool, behind: Sequence[tuple[str, ...]]) -> None:
    """Decode the images into `target`, and list skipped images with the reasons in the same folder."""
    count, side = len(chosen.names), chosen.side
    hashes, whole = np.zeros(count, "S16"), np.zeros(count, bool)
    skipped: list[tuple[str, str]] = []
    with replacing(target) as temporary, SquareFile(temporary, count, side) as squares:
        with Progress(count, "read images") as progress:
            for number, (content, outcome) in enumerate(chosen.decoded()):
                progress.update(1)
                hashes[number] = content
                if isinstance(outcome, InputError):
                    if strict:
                        raise outcome
                    skipped.append((chosen.names[number], str(outcome)))
                    continue
                squares.append(outcome)
                whole[number] = True
        require_readable(int(whole.sum()), chosen.folder, skipped[0][1] if skipped else "")
        names = chosen.names if whole.all() else NameTable(compress(chosen.names, whole))
        rows = zip(names, map(bytes.decode, hashes[whole]), strict=True)
        write_sources(target.parent, _without_repeats(rows, behind))  # before the cache, which must not exist without this list
        write_skipped(target.parent, skipped)
        squares.shrink()
        with squares.opened() as file:
            texts = file.create_dataset("names", (len(names),), h5py.string_dtype())
            for start in range(0, len(names), BLOCK):
                texts[start : start + BLOCK] = list(names[start : start + BLOCK])
            file["sha256"] = hashes[whole]
            file.attrs["key"] = content_key(chosen.names, map(bytes.decode, hashes), side, chosen.policy)
            file.attrs["stamp"] = stamp


def _without_repeats(rows: Iterable[tuple[str, ...]], behind: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the rows, then the rows of `behind` that are not among them."""
    left = dict.fromkeys(behind)
    for row in rows:
        left.pop(row, None)
        yield row
    yield from left
