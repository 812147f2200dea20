"""Parts of images as images of their own: faces out of photographs, to train on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from kpdetect.data.originals import originals
from kpdetect.errors import InputError, OutputError
from kpdetect.files import file_hash, make_folder, write_sources
from kpdetect.images import cut_region, list_names, read_image, write_image
from kpdetect.inference.boxes import require_overlap
from kpdetect.inference.predictor import Box
from kpdetect.progress import Progress

BLOCK = 256


def crop_images(
    images: Path, out: Path, boxes: Mapping[str, Box] | Box, *, exclude: Collection[str] = (), strict: bool = False
) -> dict[str, str]:
    """Write the boxes of images as PNG files of the same names, and which images they are from (`sources.csv`), which training
    on them hands on.

    Args:
        images: folder of images, searched recursively.
        out: folder for the crops; what is there of an earlier call is written again.
        boxes: (left, top, width, height) in pixels measured at pixel edges, by image name; images without one are left out.
            Or one box for all. What lies outside an image is filled by its edge.
        exclude: image names to leave out.
        strict: stop at an unreadable image.

    Returns:
        Images that were skipped, and why.

    Raises:
        InputError: no images, none with a box, two images would get one name, or, with `strict`, one cannot be read or cropped.
        OutputError: `out` cannot be written, or is the folder of the images.
    """
    names = [name for name in list_names(images) if name not in exclude and PurePosixPath(name).name not in exclude]
    chosen = [name for name in names if not isinstance(boxes, Mapping) or name in boxes]
    if not chosen:
        raise InputError(f"{images}: none of its images has a box")
    targets = [PurePosixPath(name).with_suffix(".png") for name in chosen]
    if twice := _repeated(map(str, targets)):
        raise InputError(f"{images}: two images would be written as {twice}; rename one")
    _require_free(out, images, {str(target) for target in targets})
    make_folder(out)
    behind = originals(images, names, chosen)
    write_sources(out, [*((name, file_hash(images / name)) for name in chosen), *behind])  # before the first crop is there
    skipped: dict[str, str] = {}

    def crop(name: str, target: PurePosixPath) -> tuple[str, str] | str:
        try:
            image = read_image(images / name)
            box = require_overlap(boxes if isinstance(boxes, Mapping) else {name: boxes}, name, image.shape[:2])
        except InputError as error:
            if strict:
                raise
            return str(error)
        assert box is not None
        make_folder((out / target).parent)
        left, top, right, bottom = (math.floor(edge + 0.5) for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
        write_image(out / target, cut_region(image, (left, top, max(1, right - left), max(1, bottom - top))))
        return name, file_hash(images / name)

    sources: list[tuple[str, str]] = []
    with Progress(len(chosen), "crop") as progress, ThreadPoolExecutor(2) as pool:
        for at in range(0, len(chosen), BLOCK):
            block = chosen[at : at + BLOCK]
            for name, outcome in zip(block, pool.map(crop, block, targets[at : at + BLOCK]), strict=True):
                if isinstance(outcome, str):
                    skipped[name] = outcome
                else:
                    sources.append(outcome)
            progress.update(len(block))
    if not sources:
        raise InputError(f"{images}: nothing was cropped; {next(iter(skipped.values()))}")
    write_sources(out, [*sources, *(row for row in behind if row not in sources)])
    return skipped


def _require_free(out: Path, images: Path, targets: Collection[str]) -> None:
    """Refuse a folder in which crops would mix with other images."""
    if (
        out.resolve() == images.resolve()
        or images.resolve() in out.resolve().parents
        or out.resolve() in images.resolve().parents
    ):
        raise OutputError(f"{out}: is, holds or lies in the folder of the images; give one beside it")
    try:
        others = [name for name in list_names(out) if name not in targets] if out.is_dir() else []
    except InputError:
        others = []  # no image there
    if others:
        raise OutputError(f"{out}: holds {others[0]}, which is none of these crops; give another folder, or empty it")


def _repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]
