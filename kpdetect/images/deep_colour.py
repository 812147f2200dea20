"""Read colour images of 16 bits per channel. Pillow returns only the high byte of each of their values.

OpenCV decodes PNG files, and keeps 16 bits. Pillow decodes TIFF files twice. The second time the two bytes of each value are
exchanged, which gives the low bytes. So pages of stacks and all compressions that Pillow supports can be read.
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
"""Part of Pillow's name of a layout with 16 bits per channel, such as `RGB;16L`."""
EXCHANGED = {"L": "B", "B": "L", "N": "B" if np.little_endian else "L"}
"""Each byte order in Pillow's names (L little, B big, N that of the machine), and the opposite order."""


def deep_colour(picture: Pillow) -> NDArray[np.uint16] | None:
    """Read the 16-bit values [height, width, 3] of an open image that Pillow has not decoded; None for other images.

    Raises:
        Exception: the file is damaged. The decoders raise many types.
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
    """Return Pillow's name of the layout in which a file stores its values; empty if it is unknown."""
    if picture.format not in ("PNG", "TIFF") or not getattr(picture, "tile", None):
        return ""
    arguments = picture.tile[0][3]  # type: ignore[attr-defined]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _content(picture: Pillow) -> BytesIO:
    """Return the bytes of a picture's file."""
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
    """Read one byte of each value, as [height, width, 3]. The page is decoded as if its layout were `other`."""
    from PIL import Image as Module

    with Module.open(getattr(picture, "filename", "") or _content(picture)) as again:
        again.seek(picture.tell())
        again.tile = [_exchanged(tile, layout, other) for tile in again.tile]  # type: ignore[attr-defined]
        again.load()
        return np.asarray(again, dtype=np.uint8)[..., :3].copy()


def _exchanged(tile: Any, layout: str, other: str) -> Any:
    """Copy Pillow's description of a tile of an image, with the layout `other`. Before Pillow 11 it is a plain tuple."""
    arguments = tuple(other if each == layout else each for each in tile[3])
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)
