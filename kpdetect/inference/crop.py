"""Crop images to boxes and write the crops as images, for example faces out of photographs, to train on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from kpdetect.data.crop_sources import originals
from kpdetect.data.derived_files import recorded, require_own, rewritten
from kpdetect.data.name_lists import without
from kpdetect.errors import InputError, OutputError
from kpdetect.files.atomic import flush_disks
from kpdetect.files.folders import make_folder, new_folder
from kpdetect.files.listing import OUTPUT, list_files
from kpdetect.files.names import below
from kpdetect.files.sources import SOURCES, write_sources
from kpdetect.images.arrays import cut_region
from kpdetect.images.image_files import SUFFIXES, image_size_and_hash, list_names, read_image, write_image
from kpdetect.inference.boxes import require_overlap
from kpdetect.inference.predictor import Box
from kpdetect.progress import Progress
from kpdetect.training.processes import ALONE, Peers

BLOCK = 256
CROPS, KIND = "crops.json", "crops"
"""Record of the crops in a folder, see `kpdetect.data.derived_files`. A folder with a record of the usual name
is not taken for images."""


def crop_images(
    images: Path,
    out: Path,
    boxes: Mapping[str, Box] | Box,
    *,
    exclude: Collection[str] = (),
    strict: bool = False,
    peers: Peers = ALONE,
) -> dict[str, str]:
    """Crop images to boxes. Write the crops as PNG files of the same names, and record the original images in `sources.csv`.

    Args:
        images: folder of images, searched recursively.
        out: folder for the crops. Crops of an earlier call are replaced or removed. If it lies inside `images`, it is marked,
            so that later searches of `images` leave it out.
        boxes: one box for all images, or boxes by name of the image; images without a box are left out. A box is (left, top,
            width, height) in pixels measured at pixel edges. Beyond the image, its edge pixels are repeated.
        exclude: names of images to leave out.
        strict: stop at an image that cannot be cropped instead of skipping it.
        peers: processes that make this call together. Each crops a part of the images.

    Returns:
        Why each skipped image was skipped, by the name of the image.

    Raises:
        InputError: there are no images, none has a box, or two crops would have the same name. With `strict`, also: an image
            cannot be read or cropped.
        OutputError: `out` cannot be written, is or holds the folder of the images, or holds other images.

    Before anything is written, the size and the box of every image are checked, so such a failure leaves earlier crops.
    """
    listed = list_names(images, out)
    if not isinstance(boxes, Mapping):
        boxes = dict.fromkeys(listed, boxes)
    chosen = [name for name in without(listed, exclude) if name in boxes]
    if not chosen:
        raise InputError(f"{images}: none of its images has a box; give boxes of these images")
    targets = {name: str(PurePosixPath(name).with_suffix(".png")) for name in chosen}
    _require_apart(images, targets)
    _require_free(out, images, targets.values())
    behind = originals(images, listed, chosen)
    hashes, reasons = _examined(images, chosen, boxes, peers, strict)
    if strict and reasons:
        raise InputError(next(iter(reasons.values())))
    if not hashes:
        raise InputError(_none_of(images, reasons))
    with new_folder(out), ExitStack() as stack:
        unwritten = set[str]()
        if peers.is_main:
            write_sources(out, dict.fromkeys([*hashes.items(), *behind]))  # before the first crop
            if images.resolve() in out.resolve().parents:
                (out / OUTPUT).touch()
            earlier = _unlisted(out, targets.values())
            unwritten = stack.enter_context(rewritten(out, KIND, targets.values(), record=CROPS, earlier=earlier))
        peers.wait()
        own, written = {name: targets[name] for name in peers.share(list(hashes))}, set[str]()
        try:
            parts = peers.gathered(_crop_all(images, out, own, boxes, strict, written))
        except BaseException:
            unwritten |= {*targets.values()} - written  # no earlier crop stays among new ones
            raise
        reasons |= {name: why for part in parts for name, why in part.items()}
        skipped = {name: reasons[name] for name in chosen if name in reasons}
        unwritten |= {targets[name] for name in skipped}
        stack.close()
        if len(skipped) == len(chosen):
            raise InputError(_none_of(images, skipped))
    if skipped and peers.is_main:
        write_sources(out, dict.fromkeys([*(row for row in hashes.items() if row[0] not in skipped), *behind]))
    return skipped


def _none_of(images: Path, reasons: Mapping[str, str]) -> str:
    return f"{images}: no image could be cropped; the first one: {next(iter(reasons.values()))}"


def _examined(
    images: Path, names: Sequence[str], boxes: Mapping[str, Box], peers: Peers, strict: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Check the boxes of images. Each process examines a part of the images; with `strict`, up to the first fault.

    Returns:
        The hashes of the images that can be cropped, and why the others cannot, by name and in the order of `names`.
    """

    def examine(name: str) -> tuple[str, str]:
        path = images / name
        try:
            size, digest = image_size_and_hash(path)
            require_overlap(boxes, name, size)
            return digest, ""
        except InputError as error:
            return "", str(error)
        except OSError as error:
            return "", f"{path}: cannot be read ({error.strerror})"

    own, found = list(peers.share(names)), dict[str, tuple[str, str]]()
    with ThreadPoolExecutor(2) as pool:
        for at in range(0, len(own), BLOCK):
            block = own[at : at + BLOCK]
            found |= zip(block, pool.map(examine, block), strict=True)
            if strict and any(found[name][1] for name in block):
                break
    every = {name: pair for part in peers.gathered(found) for name, pair in part.items()}
    ordered = {name: every[name] for name in names if name in every}
    hashes = {name: digest for name, (digest, reason) in ordered.items() if not reason}
    return hashes, {name: reason for name, (_, reason) in ordered.items() if reason}


def _crop_all(
    images: Path, out: Path, targets: Mapping[str, str], boxes: Mapping[str, Box], strict: bool, written: set[str]
) -> dict[str, str]:
    """Crop images. `targets` gives the name of each image's crop. Return why images were skipped, by their names.

    The names of the crops are added to `written`, also if an image fails.
    """

    def reason(name: str) -> str | None:
        try:
            _crop(images / name, below(out, targets[name]), name, boxes)
        except InputError as error:
            if strict:
                raise
            return str(error)
        written.add(targets[name])
        return None

    skipped: dict[str, str] = {}
    with Progress(len(targets), "crop") as progress, ThreadPoolExecutor(2) as pool:
        names = list(targets)
        for at in range(0, len(names), BLOCK):
            block = names[at : at + BLOCK]
            skipped |= {name: why for name, why in zip(block, pool.map(reason, block), strict=True) if why is not None}
            progress.update(len(block))
        flush_disks()
    return skipped


def _crop(path: Path, target: Path, name: str, boxes: Mapping[str, Box]) -> None:
    image = read_image(path)
    box = require_overlap(boxes, name, image.shape[:2])
    assert box is not None
    left, top, right, bottom = (math.floor(edge + 0.5) for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    make_folder(target.parent)
    write_image(target, cut_region(image, (left, top, max(1, right - left), max(1, bottom - top))), durable=False)


def _require_apart(images: Path, targets: Mapping[str, str]) -> None:
    """Refuse images whose crops would have the same name."""
    sharing = defaultdict(list)
    for name, target in targets.items():
        sharing[target].append(name)
    if several := [names for names in sharing.values() if len(names) > 1]:
        clash = f"{images}: {' and '.join(several[0])} would be written as one file, {targets[several[0][0]]}"
        more = f" (the first of {len(several)} such cases)" if len(several) > 1 else ""
        raise InputError(f"{clash}{more}; rename or remove all but one")


def _require_free(out: Path, images: Path, targets: Collection[str]) -> None:
    """Refuse a folder in which crops would mix with other images."""
    here, there = images.resolve(), out.resolve()
    if here == there or there in here.parents:
        raise OutputError(f"{out}: this folder is or holds the folder of the images; give another folder, also one inside it")
    earlier = recorded(out, CROPS)
    crops = {*targets, *(earlier[KIND].files if KIND in earlier else ())}
    others = [name for name in list_files(out, SUFFIXES)[0] if name not in crops] if out.is_dir() else []
    if not others and any(out.glob("*")) and not (out / SOURCES).is_file():
        others = list(list_files(out, SUFFIXES)[0])  # they have the names of crops, but no record
    if others:
        raise OutputError(f"{out}: {others[0]} in this folder is not one of the crops; give another folder, or empty it")
    require_own(out, KIND, targets, record=CROPS, earlier=_unlisted(out, targets))


def _unlisted(out: Path, targets: Collection[str]) -> Collection[str]:
    """Return the names of crops that may be there without a record: all of them if the folder has none, as in version 0.1.0."""
    return () if KIND in recorded(out, CROPS) else targets
