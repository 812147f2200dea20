"""Write a folder of cartoon faces with exact keypoints.

    images/000000.png ...   RGB
    masks/000000.png ...    255 where the head (with hair) is visible, else 0
    keypoints.csv           image, keypoint (its name), x_px, y_px, visible (1 or 0); written after the last image
    toy.json                seed, size, version, count, keypoint names, split rule; written last
    toy.unfinished.json     seed, size, version and count; exists only while images are drawn

Image i depends only on (seed, i, size). So an interrupted data set can be continued, a finished one can be extended, and a lost
image can be drawn again.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import ConfigError, FormatError, OutputError
from kpdetect.files.atomic import output_error, read_json, replacing, write_json
from kpdetect.files.folders import make_folder
from kpdetect.files.listing import OUTPUT
from kpdetect.toy.geometry import KEYPOINT_NAMES, keypoints_px, visible
from kpdetect.toy.render import render
from kpdetect.toy.scene import MAX_SEED, sample_scene

__all__ = ["KEYPOINT_NAMES", "read_description", "write_toy"]

VERSION = 1
"""Version of the drawing. It rises when a change of the code gives another image for the same (seed, index, size)."""
RECORD, UNFINISHED, KEYPOINTS = "toy.json", "toy.unfinished.json", "keypoints.csv"
SPLIT = "index mod 5: 0, 1, 2 fit; 3 validate; 4 test"
MIN_SIZE = 16
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
Report = Callable[[int], object]


def write_toy(out: Path, count: int, size: int = 64, seed: int = 0, report: Report | None = None) -> None:
    """Write a data set of cartoon faces, or finish, extend or repair the existing one.

    A finished data set with the same seed and size and at least `count` images is not changed.

    Args:
        out: the folder; it is created if it is missing.
        count: number of images.
        size: side of the square images in pixels.
        seed: random seed of the data set.
        report: function that is called with the number of images drawn since the last call; None to report nothing.

    Raises:
        ConfigError: `count`, `size` or `seed` is out of range, or the folder holds another data set.
        FormatError: the folder's toy.json is damaged.
        OutputError: the folder holds other files, cannot be written, or the disk is full.
    """
    _check(count, size, seed)
    identity = {"seed": seed, "size": size, "version": VERSION}
    finished = _finished_count(out, identity)
    total = max(count, finished)
    _remove_beyond(out, total)
    missing = [index for index in range(total) if not all(_is_whole(path) for path in _paths(out, index))]
    if finished == total and not missing and (out / KEYPOINTS).exists():
        _remove(out / UNFINISHED)  # a killed call for more images has left these
        return
    for folder in (out, out / "images", out / "masks"):
        make_folder(folder)
    (out / "masks" / OUTPUT).touch()  # marks the folder, so that no command reads masks as images
    if missing:
        write_json(out / UNFINISHED, {**identity, "count": total})
    for index in missing:
        _write_pictures(out, index, size, seed)
        if report is not None:
            report(1)
    _write_keypoints(out / KEYPOINTS, total, size, seed)
    write_json(out / RECORD, {**identity, "count": total, "keypoints": list(KEYPOINT_NAMES), "split": SPLIT})
    _remove(out / UNFINISHED)


def read_description(folder: Path) -> dict[str, Any]:
    """Read the toy.json of a finished data set: seed, size, version, count, keypoints, split.

    Raises:
        InputError: there is no toy.json.
        FormatError: the file is damaged.
    """
    return _read_record(folder / RECORD, ("seed", "size", "version", "count"))


def _check(count: int, size: int, seed: int) -> None:
    if count < 1:
        raise ConfigError(f"`count={count}`: a data set needs at least 1 image; choose a larger count")
    if size < MIN_SIZE:
        raise ConfigError(f"`size={size}`: a face needs at least {MIN_SIZE} pixels; choose a larger size")
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`seed={seed}`: expected 0 to {MAX_SEED}; choose another seed")


def _read_record(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    record = read_json(path)
    if not isinstance(record, dict) or not all(isinstance(record.get(key), int) for key in keys):
        raise FormatError(
            f"{path}: not the record of a toy data set; expected whole numbers for {', '.join(keys)}; remove the folder"
        )
    return record


def _finished_count(out: Path, identity: dict[str, int]) -> int:
    """Return the number of images of the finished data set in `out`; 0 if there is none. Refuse folders with other files."""
    for name in (RECORD, UNFINISHED):
        if (out / name).exists():
            record = read_description(out) if name == RECORD else _read_record(out / name, list(identity))
            _refuse_other(out, record, identity)
            return int(record["count"]) if name == RECORD else 0
    if (out / KEYPOINTS).exists() or any((out / kind).exists() and any((out / kind).iterdir()) for kind in ("images", "masks")):
        raise OutputError(f"{out}: there are files that do not belong to a toy data set; choose an empty or new folder")
    return 0


def _refuse_other(out: Path, record: dict[str, Any], identity: dict[str, int]) -> None:
    different = [key for key in identity if record[key] != identity[key]]
    if different:
        held = ", ".join(f"{key} {record[key]}" for key in different)
        asked = ", ".join(f"{key} {identity[key]}" for key in different)
        raise ConfigError(
            f"{out}: there is another toy data set ({held}), but {asked} is requested; choose another folder, or remove it"
        )


def _remove_beyond(out: Path, count: int) -> None:
    """Remove the images from number `count` on, which an unfinished call for more images has left.

    The record of that call is removed at the end.
    """
    if not (out / UNFINISHED).exists():
        return
    record = _read_record(out / UNFINISHED, ())
    for index in range(count, int(record.get("count", 0))):
        for path in _paths(out, index):
            _remove(path)


def _paths(out: Path, index: int) -> tuple[Path, Path]:
    return out / "images" / f"{index:06d}.png", out / "masks" / f"{index:06d}.png"


def _is_whole(path: Path) -> bool:
    """Tell whether a PNG file is complete."""
    try:
        with open(path, "rb") as file:
            file.seek(-len(PNG_END), os.SEEK_END)
            return file.read() == PNG_END
    except OSError:  # the file is missing, or shorter than a PNG end mark
        return False


def _write_pictures(out: Path, index: int, size: int, seed: int) -> None:
    drawn = render(sample_scene(seed, index), size)
    image, mask = _paths(out, index)
    _write_png(image, drawn.image[..., ::-1])
    _write_png(mask, drawn.mask)


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a PNG file without waiting for the disk. If a power failure damages it, `_is_whole` detects that."""
    encoded = cv2.imencode(".png", np.ascontiguousarray(picture))[1]
    with replacing(path, durable=False) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _write_keypoints(path: Path, count: int, size: int, seed: int) -> None:
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "keypoint", "x_px", "y_px", "visible"))
        for index in range(count):
            scene = sample_scene(seed, index)
            rows = zip(KEYPOINT_NAMES, keypoints_px(scene, size), visible(scene, size), strict=True)
            writer.writerows((f"{index:06d}.png", name, f"{x:.4f}", f"{y:.4f}", int(seen)) for name, (x, y), seen in rows)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
