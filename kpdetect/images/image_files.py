"""Find, read and write images.

Images in memory are uint8 RGB [height, width, 3], rotated as EXIF says. A network sees a square. The crop policy decides which
part of an image the square shows:
    centre   the largest square at the image's centre
    pad      the whole image, centred in a square of its longer side; its edge pixels are repeated
    stretch  the whole image, with both axes resized to the side of the square
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from kpdetect.errors import InputError, OutputError
from kpdetect.files.archives.opening import is_folder, list_inputs
from kpdetect.files.atomic import replacing
from kpdetect.files.endings import IMAGES
from kpdetect.files.left_out import say_left_out
from kpdetect.images.arrays import CropPolicy, Image
from kpdetect.images.decoding import decoded, opened, opened_and_hashed, require_single, shown_size, turns
from kpdetect.messages import log

CROP_POLICIES: tuple[str, ...] = get_args(CropPolicy)
SUFFIXES = IMAGES


def list_images(folder: Path, out: Path | None = None) -> list[Path]:
    """List the image files under `folder` as paths. See `list_names`."""
    return [folder / name for name in list_names(folder, out)]


def list_names(folder: Path, out: Path | None = None) -> Sequence[str]:
    """List the image files under `folder`, sorted, as relative paths with forward slashes.

    The result holds texts, because `Path` objects take four times the memory. Files that are left out are logged (see
    `kpdetect.files.listing`).

    Args:
        folder: the folder, searched recursively, or an archive (`kpdetect.files.archives.opening`).
        out: folder of results. Files in it are not inputs.

    Raises:
        InputError: `folder` is not a folder, is `out`, or holds no image.
    """
    if not is_folder(folder):
        raise InputError(f"{folder}: not a folder; give a folder of images, or a tar, HDF5 or Parquet file of images")
    if out is not None:
        require_apart(folder, out)
    names, left_out = list_inputs(folder, SUFFIXES, out)
    if not names:
        line = left_out.line("images")
        more = f"; {line}" if line else ""
        raise InputError(f"{folder}: no images found; expected files ending in {', '.join(sorted(SUFFIXES))}{more}")
    say_left_out(folder, left_out, "images")
    return names


def require_apart(folder: Path, out: Path) -> None:
    """Refuse a folder of results that is the folder of the images. The next call would read the results as images.

    Raises:
        InputError: images and results have the same folder.
    """
    if os.path.realpath(out) == os.path.realpath(folder):
        raise InputError(f"`out={out}`: this is the folder of the images; give another folder, such as {out / 'results'}")


def image_size(path: Path) -> tuple[int, int]:
    """Read (height, width) of an image after its EXIF rotation. The image is not decoded, if its format allows this.

    Raises:
        InputError: the file is not a readable image, or has more than `MAX_PIXELS` pixels.
    """
    with opened(path) as picture:
        return shown_size(picture)


def image_size_and_hash(path: Path) -> tuple[tuple[int, int], str]:
    """Read the size of an image, as `image_size` does, and compute the hash of its file (`kpdetect.files.hashes.file_hash`)."""
    with opened_and_hashed(path) as (picture, digest):
        return shown_size(picture), digest


def is_turned(path: Path) -> bool:
    """Tell whether EXIF says that an image must be rotated by a quarter turn for display.

    Raises:
        InputError: the file is not a readable image, or has more than `MAX_PIXELS` pixels.
    """
    with opened(path) as picture:
        return turns(picture)


def read_image(path: Path) -> Image:
    """Read one image as uint8 RGB [height, width, 3].

    The EXIF rotation is applied, and an alpha channel is dropped. Values of more than 8 bits are scaled to 8 (see
    `kpdetect.images.levels`). The first image of an animation is read.

    Raises:
        InputError: the file is missing, damaged, truncated or not an image. Also for a file of several pages, of more than
            `MAX_PIXELS` pixels, or of floating-point pixels if no levels are set.
    """
    with opened(path) as picture:
        require_single(picture, path)
        return decoded(picture, str(path))


def readable(paths: Iterable[Path]) -> Iterator[tuple[Path, Image]]:
    """Yield the readable images with their paths. For each unreadable image, log a warning with its path and the reason."""
    for path in paths:
        try:
            yield path, read_image(path)
        except InputError as error:
            log.warning(f"an image is left out: {error}")


def read_image_and_hash(path: Path) -> tuple[Image, str]:
    """Read one image, as `read_image` does, and compute the hash of its file (`kpdetect.files.hashes.file_hash`)."""
    with opened_and_hashed(path) as (picture, digest):
        require_single(picture, path)
        return decoded(picture, str(path)), digest


def write_image(path: Path, image: Image, *, durable: bool = True) -> None:
    """Write an image, uint8 RGB [height, width, 3]. The file gets its name when it is complete.

    Args:
        path: the file. Its ending decides the format.
        image: the pixels.
        durable: whether to flush the file to disk, see `kpdetect.files.atomic.replacing`.

    Raises:
        OutputError: the file cannot be written, or no image format has this ending.
    """
    content = _encoded(path, image)
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def require_format(path: Path) -> None:
    """Check that the ending of a file to write is that of an image format.

    Raises:
        OutputError: no image format has this ending.
    """
    _encoded(path, np.zeros((8, 8, 3), np.uint8))


def _encoded(path: Path, image: Image) -> bytes:
    with suppress(cv2.error):  # OpenCV 5 raises it for an unknown ending
        done, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if done:
            return encoded.tobytes()
    raise OutputError(f"{path}: an image cannot be written as {path.suffix or 'a file without an ending'}; use .png or .jpg")
