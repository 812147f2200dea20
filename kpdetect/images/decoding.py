"""Open and decode image files. Every fault of a file is an `InputError` that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError, KpdetectError
from kpdetect.files.archives.members import content_of
from kpdetect.files.endings import HEIF
from kpdetect.files.hashes import bytes_hash, file_hash
from kpdetect.images.deep_colour import deep_colour
from kpdetect.images.levels import to_eight_bits

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

MAX_PIXELS = 200_000_000
"""Largest number of pixels of an image. A file whose header states more is refused before it is decoded."""
READ_AT_ONCE = 64 * 2**20
"""Files up to this size in bytes are read into memory at once, for both the hash and the image."""
NO_HEIF = "HEIC needs the package pillow-heif: pip install 'kpdetect[heic]', or save it as JPEG"
REDUCED_PAGE, BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 254, 258, 262, 339
"""Tags of a TIFF page. The lowest bit of `REDUCED_PAGE` marks a smaller copy of another page."""
SAME_PROPORTIONS = 0.02
"""Largest relative difference of the proportions of a page and of a reduced copy."""
WIDTH, HEIGHT = 256, 257
"""Tags of a TIFF page: the size of the stored pixels, before any rotation."""
ORIENTATION = 0x0112
"""EXIF tag that stores the rotation of an image."""
SIGNED = 2
"""Value of the tag `SAMPLE_FORMAT` for signed integers."""


@contextmanager
def opened(path: Path, content: BytesIO | None = None) -> Iterator[Pillow]:
    """Open an image file or an image in an archive, read its header and check its size.

    If `content` is given, it is read instead of the file.

    Raises:
        InputError: the file is not a regular file or not a readable image, is empty or too large, or cannot be decoded in the
            block.
    """
    from PIL import Image as Module

    Module.MAX_IMAGE_PIXELS = None  # the number of pixels is checked below, with a better message
    if content is None and (inner := content_of(path)) is not None:
        content = BytesIO(inner)
    if content is None and path.exists() and not path.is_file():
        raise InputError(
            f"{path}: not a file; remove it, or give a folder or file of images"
        )  # reading a pipe might wait for ever
    try:
        if path.suffix.lower() in HEIF:
            _register_heif()
        with Module.open(content or path) as picture:
            width, height = picture.size
            if height * width > MAX_PIXELS:
                raise InputError(
                    f"{path}: {width} x {height} pixels, but the limit is {MAX_PIXELS:,} in all; scale the image down first"
                )
            if height * width == 0:
                raise ValueError(f"{width} x {height} pixels")
            yield picture
    except KpdetectError:
        raise
    except Exception as error:  # decoders raise many types: struct.error, zlib.error, IndexError, RuntimeError
        raise InputError(f"{path}: not a readable image ({_reason(error)}); remove or replace it") from error


@contextmanager
def opened_and_hashed(path: Path) -> Iterator[tuple[Pillow, str]]:
    """Open an image file and compute the hash of its bytes (`file_hash`). Files up to `READ_AT_ONCE` are read only once.

    Raises:
        InputError: see `opened`.
    """
    content = content_of(path)
    try:
        if content is None and path.is_file() and path.stat().st_size <= READ_AT_ONCE:
            content = path.read_bytes()
    except OSError:
        pass  # `opened` raises the error
    with opened(path, None if content is None else BytesIO(content)) as picture:
        yield picture, file_hash(path) if content is None else bytes_hash(content)


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise ValueError(NO_HEIF) from error
    pillow_heif.register_heif_opener()


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)  # `strerror` lacks the path, which the message names already
    text = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, MemoryError):
        return "decoding it needs more memory than there is"
    return "unknown format" if text.startswith("cannot identify") else text


def decoded(picture: Pillow, name: str) -> NDArray[np.uint8]:
    """Decode an image to uint8 RGB [height, width, 3], rotated as EXIF says.

    Args:
        picture: an open image.
        name: name of the image in error messages.
    """
    from PIL import ImageOps

    bits, inverted = _depth(picture)
    deep = deep_colour(picture)
    _load(picture)
    if deep is not None:
        picture = _turned_alike(to_eight_bits(deep, 16, name), picture)
    if picture.getexif().get(ORIENTATION, 1) != 1:  # avoids a copy of the image
        picture = ImageOps.exif_transpose(picture)
    return _as_rgb(picture, bits, inverted, name)


def _load(picture: Pillow) -> None:
    """Decode the pixels. Truncated data raise an error; OpenCV would fill them with grey."""
    path: str | None = getattr(picture, "filename", None)
    if path and turns(picture):
        picture.filename = ""  # type: ignore[attr-defined]  # or Pillow maps the rows of a TIFF file with the turned width
    picture.load()
    if path is not None:
        picture.filename = path  # type: ignore[attr-defined]


def turns(picture: Pillow) -> bool:
    """Tell whether EXIF says that an open image, not yet decoded, must be rotated by a quarter turn for display."""
    return picture.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)


def shown_size(picture: Pillow) -> tuple[int, int]:
    """Return (height, width) of an open image, not yet decoded, after its EXIF rotation."""
    width, height = picture.size
    tags = _tags(picture)
    if WIDTH in tags and HEIGHT in tags:  # Pillow 12 and later exchange `size` of a turned TIFF file already
        width, height = int(tags[WIDTH]), int(tags[HEIGHT])
    return (width, height) if turns(picture) else (height, width)


def _turned_alike(values: NDArray[np.uint8], picture: Pillow) -> Pillow:
    """Make a Pillow image of `values` [height, width, 3] that is rotated as the EXIF data of `picture` say."""
    from PIL import Image as Module

    turned = Module.fromarray(values)
    turned.getexif()[ORIENTATION] = picture.getexif().get(ORIENTATION, 1)
    return turned


def _depth(picture: Pillow) -> tuple[int, bool]:
    """Read how many bits a grey image's values have, and whether the value 0 means white.

    The sign is not counted. Floating-point values have 0 bits.
    """
    if picture.mode == "F":
        return 0, False
    tags = _tags(picture)
    bits = int(np.ravel(tags.get(BITS_PER_SAMPLE, 16))[0])
    signed = int(np.ravel(tags.get(SAMPLE_FORMAT, 1))[0]) == SIGNED
    return bits - signed, tags.get(PHOTOMETRIC) == 0


def _tags(picture: Pillow) -> Any:
    """Return the tags of the current page of a TIFF file; an empty mapping for other formats."""
    return getattr(picture, "tag_v2", {}) if picture.format == "TIFF" else {}


def pages(picture: Pillow) -> list[int]:
    """List the indices of a TIFF file's pages, without reduced copies of the first one. For other formats the list is [0]."""
    if picture.format != "TIFF" or getattr(picture, "n_frames", 1) == 1:
        return [0]
    size, pages = picture.size, []
    for page in range(getattr(picture, "n_frames", 1)):
        picture.seek(page)
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError(
                f"page {page + 1} has {picture.width} x {picture.height} pixels, the limit is {MAX_PIXELS:,} in all"
            )
        if not int(_tags(picture).get(REDUCED_PAGE, 0)) & 1 and not _is_level(picture.size, size):
            pages.append(page)
    picture.seek(0)
    return pages


def _is_level(size: tuple[int, int], first: tuple[int, int]) -> bool:
    """Tell whether a page of this size is a reduced copy of the first page, in a pyramid that does not mark its levels."""
    (width, height), (whole_width, whole_height) = size, first
    smaller = width < whole_width and height < whole_height
    rounding = max(whole_width, whole_height)  # one pixel, because the sides of a level are whole numbers
    return smaller and abs(width * whole_height - height * whole_width) <= max(
        rounding, SAME_PROPORTIONS * height * whole_width
    )


def require_single(picture: Pillow, path: Path) -> None:
    """Refuse an opened image file of several pages.

    Raises:
        InputError: the file has several pages.
    """
    if (count := len(pages(picture))) > 1:
        raise InputError(
            f"{path}: this file has {count} pages, expected one; save each page as a file, or predict the file as a video"
        )


def frame_numbers(picture: Pillow) -> list[int]:
    """List the indices of the images in an open file that belong to a stack or an animation. A single image has one index."""
    if picture.format == "TIFF":
        return pages(picture)
    return list(range(getattr(picture, "n_frames", 1)))


def _as_rgb(picture: Pillow, bits: int, inverted: bool, name: str) -> NDArray[np.uint8]:
    if picture.mode.startswith("I") or picture.mode == "F":  # Pillow's own conversion would clip instead of scale
        values = np.asarray(picture)
        if bits == 32 and values.dtype == np.int32:
            values = values.view(np.uint32)
        grey = to_eight_bits(values, bits, name)
        return np.repeat((255 - grey if inverted else grey)[..., None], 3, axis=2)
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")  # Pillow warns about the direct conversion
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"), dtype=np.uint8).copy()
