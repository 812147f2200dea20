"""What images were cut from: `kpdetect crop` leaves a record beside its crops, which everything made of them hands on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from kpdetect.files.sources import read_sources


def originals(folder: Path, listed: Iterable[str], kept: Iterable[str]) -> list[tuple[str, ...]]:
    """Rows (image, sha256) of the records in a folder, its subfolders with images and the folder above.

    Args:
        folder: where the images are.
        listed: all images below it, as paths relative to it.
        kept: those that are used; what the others were cut from is left out.
    """
    listed, own = list(listed), folder.resolve().name
    places = {parent for name in listed for parent in PurePosixPath(name).parents} | {PurePosixPath(".")}
    inside = [(row, place) for place in sorted(places) for row in read_sources(folder / place)]
    above = read_sources(folder.resolve().parent)
    if not inside and not above:
        return []
    taken = {_stem(name) for name in kept}
    unused = {_stem(name) for name in listed} - taken
    here = {f"{own}/{name}" for name in taken}
    found = [row for row, place in inside if _stem(f"{place}/{row[0]}") not in unused]
    return list(dict.fromkeys([*found, *(row for row in above if _stem(row[0]) in here)]))


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
