"""Names of videos: each names a folder of results, so all differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from kpdetect.files.names import component


def clip_names(videos: Sequence[Path], taken: Iterable[str] = ()) -> list[str]:
    """Name videos by their file names without the ending. Add the parent folder, the ending or a number to equal names."""
    names = [component(video.stem, video.name) for video in videos]
    reserved = {name.casefold() for name in taken}
    for rename in (
        lambda video: f"{video.parent.name}-{component(video.stem, video.name)}",
        lambda video: video.name.replace(".", "-"),
    ):
        counts = Counter(name.casefold() for name in names)  # many disks do not tell upper from lower case
        shared = {name for name, count in counts.items() if count > 1} | reserved
        names = [rename(video) if name.casefold() in shared else name for video, name in zip(videos, names, strict=True)]
    used, unique = set(reserved), []
    for name in names:
        free = next(
            text
            for number in range(1, len(videos) + len(used) + 2)
            if (text := name if number == 1 else f"{name}-{number}").casefold() not in used
        )
        used.add(free.casefold())
        unique.append(free)
    return unique
