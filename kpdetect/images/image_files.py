"""Finding, reading, fitting and writing images.

Images in memory are uint8 RGB [height, width, 3]. EXIF rotation is honoured. A model sees a square; which part of a picture
that square shows is the crop policy:
    centre   the largest centred square, resized
    pad      the whole picture, centred in a square of its longer side, the border filled by its edge pixels, resized
    stretch  the whole picture, both axes resized to the square's side
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import cv2
import numpy as np

from kpdetect.errors import InputError, OutputError
from kpdetect.files.atomic import replacing
from kpdetect.files.listing import list_files, say_left_out
from kpdetect.images.arrays import CropPolicy, Image
from kpdetect.images.decoding import HEIF, ORIENTATION, decoded, opened, opened_and_hashed, require_single
from kpdetect.messages import log

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

CROP_POLICIES: tuple[str, ...] = get_args(CropPolicy)
SUFFIXES = HEIF | {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".avif"}


def list_images(folder: Path, out: Path | None = None) -> list[Path]:
    """As `list_names`, as paths."""
    return [folder / name for name in list_names(folder, out)]


def list_names(folder: Path, out: Path | None = None) -> list[str]:
    """Image files under `folder`, sorted, as paths relative to it with forward slashes: a quarter of the memory of `Path`s.

    What is left out (see `kpdetect.files.listing`) is said on standard error.

    Args:
        folder: is searched recursively.
        out: folder of the results; what it holds is no input.

    Raises:
        InputError: `folder` is not a folder, is `out` too, or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; give a folder of images")
    if out is not None:
        require_apart(folder, out)
    found, left_out = list_files(folder, SUFFIXES, out)
    if not found:
        line = left_out.line("images")
        more = f"; {line}" if line else ""
        raise InputError(f"{folder}: no images found; expected files ending in {', '.join(sorted(SUFFIXES))}{more}")
    say_left_out(folder, left_out, "images")
    return found


def require_apart(folder: Path, out: Path) -> None:
    """Refuse to write results among the images: the next call would take them for images.

    Raises:
        InputError: the folder of the images is that of the results.
    """
    if os.path.realpath(out) == os.path.realpath(folder):
        raise InputError(f"`out={out}`: this is the folder of the images; give another folder, such as {out / 'results'}")


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) as displayed, without decoding where the format allows it.

    Raises:
        InputError: the file is no readable image, or has more than `MAX_PIXELS` pixels.
    """
    with opened(path) as picture:
        width, height = picture.size
        turned = _turned(picture)
    return (width, height) if turned else (height, width)


def is_turned(path: Path) -> bool:
    """Whether an image is stored on its side: EXIF says to turn it by a quarter to display it.

    Raises:
        InputError: as `image_size`.
    """
    with opened(path) as picture:
        return _turned(picture)


def _turned(picture: Pillow) -> bool:
    return picture.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)


def read_image(path: Path) -> Image:
    """Read one image as uint8 RGB [height, width, 3]; EXIF rotation applied, alpha dropped, more than 8
    bits scaled to 8 (see `kpdetect.images.levels`), the first picture of an animation.

    Raises:
        InputError: the file is missing, damaged, truncated, not an image, of several pages, of
            floating-point pixels without levels, or has more than `MAX_PIXELS` pixels.
    """
    with opened(path) as picture:
        require_single(picture, path)
        return decoded(picture, str(path))


def readable(paths: Iterable[Path]) -> Iterator[tuple[Path, Image]]:
    """Images that can be read, one after the other; a line says which are left out, and why."""
    for path in paths:
        try:
            yield path, read_image(path)
        except InputError as error:
            log.warning(f"an image is left out: {error}")


def read_image_and_hash(path: Path) -> tuple[Image, str]:
    """As `read_image`, and the hash of the file (`kpdetect.files.hashes.file_hash`), read once for both unless large."""
    with opened_and_hashed(path) as (picture, digest):
        require_single(picture, path)
        return decoded(picture, str(path)), digest


def write_image(path: Path, image: Image) -> None:
    """Write uint8 RGB [height, width, 3]; the file has its name only once it is complete.

    Raises:
        OutputError: the file cannot be written.
    """
    done, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(image[..., ::-1]))
    if not done:
        raise OutputError(f"{path}: an image cannot be written as {path.suffix}; use .png or .jpg")
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
