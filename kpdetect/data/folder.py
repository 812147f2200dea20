"""A folder of images as training data: decoded once into one packed file, memory-mapped from then on.

images.h5   images uint8 [count, side, side, 3] (contiguous), names, sha256 of each file; attribute `key`
sources.csv the record of what is in it
skipped.csv unreadable files and why
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import ConfigError, FormatError, InputError, OutputError
from kpdetect.files import file_hash, make_folder, read_sources, replacing, write_sources
from kpdetect.images import CropPolicy, Image, fit_image, list_images, read_image
from kpdetect.progress import Progress

MIN_IMAGES = 16
"""Fewer images than this are refused: nothing can be learned from them."""
FEW_IMAGES = 500
"""Fewer images than this get a warning."""


def read_exclusions(lists: Iterable[Path]) -> set[str]:
    """Names to leave out, from files of one image name per line (the first word of a line counts).

    Raises:
        InputError: a list is missing, no text, or empty.
    """
    names: set[str] = set()
    for path in lists:
        try:
            found = {line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--exclude-list {path}: cannot be read; expected a text file, one image name per line") from error
        if not found:
            raise InputError(f"--exclude-list {path}: is empty; expected one image name per line")
        names |= found
    return names


def select_images(folder: Path, exclude: set[str]) -> list[Path]:
    """Images of a folder whose file name or path relative to it is not in `exclude`.

    Raises:
        InputError: no folder, no images, or too few left.
    """
    paths = list_images(folder)
    kept = [path for path in paths if path.name not in exclude and path.relative_to(folder).as_posix() not in exclude]
    if len(kept) < MIN_IMAGES:
        left = f" after leaving out {len(paths) - len(kept)}" if len(kept) < len(paths) else ""
        raise InputError(
            f"{folder}: {len(kept)} image{'s' if len(kept) != 1 else ''}{left}; training needs at least {MIN_IMAGES} "
            "(a few thousand to learn well)"
        )
    return kept


def folder_key(folder: Path, paths: Sequence[Path], side: int, policy: CropPolicy) -> str:
    """A hash of what a cache holds: names and sizes of the files, and how they are fitted."""
    digest = hashlib.sha256(f"{side}/{policy}".encode())
    for path in paths:
        digest.update(f"\n{path.relative_to(folder).as_posix()}\t{path.stat().st_size}".encode())
    return digest.hexdigest()[:16]


class ImageCache:
    """Memory-mapped images of a finished cache.

    Attributes:
        images: uint8 [count, side, side, 3].
        key: hash of the folder's content and of the crop policy.
    """

    def __init__(self, path: Path) -> None:
        try:
            with h5py.File(path, "r") as file:
                data, self.key = file["images"], str(file.attrs["key"])
                shape, offset = data.shape, data.id.get_offset()
        except (OSError, KeyError) as error:
            raise FormatError(f"{path}: damaged image cache; delete it and run again") from error
        self.images: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=shape)

    def __len__(self) -> int:
        return len(self.images)


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
    """Decode a folder into `out`/images.h5, or reuse the one there when it holds the same.

    Args:
        folder: images, searched recursively.
        out: folder of the cache.
        side: side of the square images in pixels.
        policy: crop policy.
        exclude: names to leave out.
        strict: stop at an unreadable image instead of skipping it.
        expected_key: key of the images that a run to be continued was trained on.

    Raises:
        InputError: no usable images, or an unreadable one under `strict`.
        ConfigError: the folder holds other images than `expected_key` says; nothing is touched.
        OutputError: the cache cannot be written.
    """
    paths = select_images(folder, exclude)
    key = folder_key(folder, paths, side, policy)
    if expected_key is not None and key != expected_key:
        raise ConfigError(
            f"{out}: was trained on other images (files were added, removed or changed, or others are excluded); "
            "use another --out, or the same images to continue"
        )
    if exclude and len(paths) == len(list_images(folder)):
        told = (
            f"warning: none of the {len(exclude):,} names to leave out is in {folder}; they have to agree in their ending too"
        )
        print(told, file=sys.stderr)
    target = make_folder(out) / "images.h5"
    if target.exists() and (cache := ImageCache(target)).key == key:
        return cache
    if len(paths) < FEW_IMAGES:
        print(
            f"warning: only {len(paths)} images; training wants a few thousand, expect them to be learned by heart",
            file=sys.stderr,
        )
    behind = [] if expected_key is None else read_sources(out)  # a continued run may have begun with other images' weights
    skipped = _write_cache(folder, paths, target, side, policy, key, strict, behind)
    _write_skipped(out, skipped)
    return ImageCache(target)


def _write_cache(
    folder: Path,
    paths: list[Path],
    target: Path,
    side: int,
    policy: CropPolicy,
    key: str,
    strict: bool,
    behind: Sequence[tuple[str, ...]],
) -> list[tuple[str, str]]:
    _require_space(target, len(paths) * side * side * 3)
    names: list[tuple[str, str]] = []
    skipped: list[tuple[str, str]] = []
    with replacing(target) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        data = file.create_dataset("images", (len(paths), side, side, 3), np.uint8)
        with Progress(len(paths), "read images") as progress:
            for path, outcome in _decoded(paths, side, policy):
                name = path.relative_to(folder).as_posix()
                progress.update(1)
                if isinstance(outcome, InputError):
                    if strict:
                        raise outcome
                    skipped.append((name, str(outcome)))
                    continue
                data[len(names)] = outcome[0]
                names.append((name, outcome[1]))
        if len(names) < MIN_IMAGES:
            raise InputError(f"{folder}: {len(names)} readable images; training needs at least {MIN_IMAGES}; {skipped[0][1]}")
        if skipped:  # keep the data contiguous: write the readable ones again at their number
            kept = data[: len(names)]
            del file["images"]
            file.create_dataset("images", data=kept)
        file["names"] = [name for name, _ in names]
        file["sha256"] = [digest for _, digest in names]
        file.attrs["key"] = key
        write_sources(
            target.parent, dict.fromkeys((*names, *behind))
        )  # before the cache has its name: a cache is never there without its record
    return skipped


def _require_space(target: Path, size: int) -> None:
    """HDF5 crashes the process when the disk fills up under it, so that is found out beforehand."""
    free = shutil.disk_usage(target.parent).free
    if free < size * 1.05:
        raise OutputError(f"{target}: needs {size / 2**20:,.0f} MiB and the disk has {free / 2**20:,.0f} left; free some space")


def _decoded(paths: Iterable[Path], side: int, policy: CropPolicy) -> Iterator[tuple[Path, tuple[Image, str] | InputError]]:
    """Decoded images in order, a few threads ahead; memory stays flat however many there are."""
    remaining = iter(paths)
    with ThreadPoolExecutor(max_workers=4) as pool:
        while block := list(islice(remaining, 256)):
            yield from zip(block, pool.map(lambda path: _decode(path, side, policy), block), strict=True)


def _decode(path: Path, side: int, policy: CropPolicy) -> tuple[Image, str] | InputError:
    try:
        return fit_image(read_image(path), side, policy)[0], file_hash(path)
    except InputError as error:
        return error
    except OSError as error:
        return InputError(f"{path}: cannot be read ({error.strerror})")


def _write_skipped(out: Path, skipped: list[tuple[str, str]]) -> None:
    if not skipped:
        return
    with replacing(out / "skipped.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "reason"))
        writer.writerows(skipped)
    print(f"warning: skipped {len(skipped)} unreadable images, listed in {out / 'skipped.csv'}:", file=sys.stderr)
    for _, reason in skipped[:5]:
        print(f"  {reason}", file=sys.stderr)
