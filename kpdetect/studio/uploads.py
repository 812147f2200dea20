"""Files that are dropped on the page: limited in bytes (`kpdetect.studio.call`) and, before anything is decoded, in pixels."""

from __future__ import annotations

import re
from io import BytesIO

from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.hashes import bytes_hash
from kpdetect.images.image_files import read_image
from kpdetect.studio.workplace import Workplace

MAX_PIXELS = 50_000_000
"""Of an uploaded picture."""
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif", "GIF": ".gif"}
"""Formats that are taken."""


def store_photo(workplace: Workplace, folder: str, name: str, content: bytes) -> str:
    """Keep an uploaded picture in the studio's folder; the same picture is kept once.

    Args:
        workplace: knows the folder.
        folder: name of a folder in it.
        name: what the file is called on the user's side; only its letters and digits are used.
        content: of the file.

    Returns:
        The file's name in the folder.

    Raises:
        InputError: it is no picture of these formats, is damaged, or has too many pixels.
        OutputError: it cannot be written.
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
    """By what the file is, read from its header alone."""
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = None  # our own limit is checked below
    try:
        with Pillow.open(BytesIO(content), formats=list(ENDINGS)) as picture:
            kind, (width, height) = picture.format or "", picture.size
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError("the file is no picture; give a JPEG, PNG, WebP, BMP, TIFF or GIF") from error
    if width * height > MAX_PIXELS:
        raise InputError(f"the picture has {width} x {height} pixels, more than {MAX_PIXELS:,}; scale it down first")
    return ENDINGS[kind]
