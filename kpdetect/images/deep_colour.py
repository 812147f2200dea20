"""Read colour images of 16 bits per channel, of which Pillow returns the high bytes only.

PNG is decoded by OpenCV, which keeps 16 bits. TIFF is decoded a second time by Pillow with the bytes of each value exchanged,
which gives the low bytes; so pages of stacks and all of its compressions are read.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Pillow

DEEP = ";16"
"""Part of Pillow's name of a layout of 16 bits a channel, as `RGB;16L`."""
EXCHANGED = {"L": "B", "B": "L", "N": "B" if np.little_endian else "L"}
"""Order of bytes (little, big, the machine's own), and the other one."""


def deep_colour(picture: Pillow) -> NDArray[np.uint16] | None:
    """Read the stored values [height, width, 3] of an open image before it is decoded; None for other layouts.

    Raises:
        Exception: the decoders raise many types for a damaged file.
    """
    layout = _layout(picture)
    if DEEP not in layout or picture.mode.startswith("I"):
        return None
    if picture.format == "PNG":
        return _from_png(_content(picture).read())
    order = layout[-1]
    if layout[:-1] not in ("RGB;16", "RGBA;16", "RGBX;16") or order not in EXCHANGED:
        raise ValueError(f"16 bits per channel in the layout {layout}; save the image as RGB, or with 8 bits")
    low = _as_layout(picture, layout, layout[:-1] + EXCHANGED[order])
    high = _as_layout(picture, layout, layout)
    values: NDArray[np.uint16] = high.astype(np.uint16) * np.uint16(256) + low
    return values


def _layout(picture: Pillow) -> str:
    """Pillow's name of how the values of a picture are stored; empty where that is not known."""
    if picture.format not in ("PNG", "TIFF") or not getattr(picture, "tile", None):
        return ""
    arguments = picture.tile[0][3]  # type: ignore[attr-defined]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _content(picture: Pillow) -> BytesIO:
    """Return the content of a picture's file."""
    file: Any = picture.fp  # type: ignore[attr-defined]
    place = file.tell()
    file.seek(0)
    content = BytesIO(file.read())
    file.seek(place)
    return content


def _from_png(content: bytes) -> NDArray[np.uint16]:
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] not in (3, 4):
        raise ValueError("damaged data of 16 bits per channel")
    return np.ascontiguousarray(values[..., 2::-1], dtype=np.uint16)


def _as_layout(picture: Pillow, layout: str, other: str) -> NDArray[np.uint8]:
    """Read one byte of each value [height, width, 3], by decoding the page of a picture as another layout."""
    from PIL import Image as Module

    with Module.open(getattr(picture, "filename", "") or _content(picture)) as again:
        again.seek(picture.tell())
        again.tile = [_exchanged(tile, layout, other) for tile in again.tile]  # type: ignore[attr-defined]
        again.load()
        return np.asarray(again, dtype=np.uint8)[..., :3].copy()


def _exchanged(tile: Any, layout: str, other: str) -> Any:
    """Copy Pillow's description of a piece of an image with another layout. Before Pillow 11 it is a plain tuple."""
    arguments = tuple(other if each == layout else each for each in tile[3])
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)
