"""Image files that a user drops on the page. Their size in bytes is limited (`kpdetect.studio.request`).

Their number of pixels is checked before they are decoded."""

from __future__ import annotations

import re
from io import BytesIO

from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.hashes import bytes_hash
from kpdetect.images.image_files import read_image
from kpdetect.studio.workplace import Workplace

MAX_PIXELS = 50_000_000
"""Largest number of pixels of an uploaded image."""
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif", "GIF": ".gif"}
"""File ending of each accepted format."""


def store_photo(workplace: Workplace, folder: str, name: str, content: bytes) -> str:
    """Store an uploaded image in the studio's folder. An image with the same content is stored only once.

    Args:
        workplace: the studio's folders.
        folder: name of a subfolder of the studio's folder.
        name: name of the file on the user's machine. Only its letters and digits are used.
        content: bytes of the file.

    Returns:
        The file's name in the subfolder.

    Raises:
        InputError: the file is not an image of an accepted format, is damaged, or has too many pixels.
        OutputError: the file cannot be written.
    """
    ending = _ending(content)
    stem = re.sub(r"[^A-Za-z0-9]+", "-", name.rpartition(".")[0] or name).strip("-")[:40] or "photo"
    kept = f"{stem}-{bytes_hash(content)}{ending}"
    path = workplace.new_file(f"{folder}/{kept}")
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        try:
            read_image(path)
        except InputError:
            path.unlink(missing_ok=True)
            raise InputError(f"{name}: the picture is damaged; give another one") from None
    return kept


def _ending(content: bytes) -> str:
    """Return the file ending for the format that the header of the content states."""
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = None  # the number of pixels is checked below
    try:
        with Pillow.open(BytesIO(content), formats=list(ENDINGS)) as picture:
            kind, (width, height) = picture.format or "", picture.size
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError("the file is no picture; give a JPEG, PNG, WebP, BMP, TIFF or GIF") from error
    if width * height > MAX_PIXELS:
        raise InputError(f"the picture has {width} x {height} pixels, more than {MAX_PIXELS:,}; scale it down first")
    return ENDINGS[kind]
