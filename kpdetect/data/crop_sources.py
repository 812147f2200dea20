"""Records of the images from which crops were cut. `kpdetect crop` writes them with the crops, and later results copy them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from kpdetect.files.sources import read_sources


def originals(folder: Path, listed: Sequence[str], kept: Iterable[str]) -> list[tuple[str, ...]]:
    """Read which images the crops in a folder were cut from, as rows (image, sha256).

    The records are read from the folder, its subfolders with images, and its parent folder.

    Args:
        folder: folder of the images.
        listed: all images in the folder, as relative paths.
        kept: the images that are used. The images behind other crops are left out.
    """
    folder_name = folder.resolve().name
    inner = {posixpath.dirname(name) for name in listed}
    places = {parent for name in inner for parent in (PurePosixPath(name), *PurePosixPath(name).parents)} | {PurePosixPath(".")}
    inside = [(row, place) for place in sorted(places) for row in read_sources(folder / place)]
    above = read_sources(folder.resolve().parent)
    if not inside and not above:
        return []
    taken = {_stem(name) for name in kept}
    unused = {_stem(name) for name in listed} - taken
    here = {f"{folder_name}/{name}" for name in taken}
    below = [row for row, place in inside if _stem(f"{place}/{row[0]}") not in unused]
    return list(dict.fromkeys([*below, *(row for row in above if _stem(row[0]) in here)]))


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
