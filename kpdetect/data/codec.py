"""Images to bytes and back: JPEG at quality 95 without chroma subsampling."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import ShardError
from kpdetect.images import Image

_FIND = "run `kpdetect info FOLDER --verify` to find which"
_SETTINGS = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def encode_jpeg(image: Image) -> NDArray[np.uint8]:
    """JPEG bytes of uint8 RGB [height, width, 3]."""
    return cv2.imencode(".jpg", image[..., ::-1], _SETTINGS)[1]  # type: ignore[return-value]


def decode_jpeg(data: NDArray[np.uint8], size: tuple[int, int]) -> Image:
    """Uint8 RGB [height, width, 3] of JPEG bytes.

    Args:
        data: the bytes.
        size: (height, width) that the image has to have; an image of another size is not decoded.

    Raises:
        ShardError: the bytes are no JPEG image, or one of another size.
    """
    found = _jpeg_size(data)
    if found != size:
        was = "no JPEG image" if found is None else f"an image of {found[1]} x {found[0]} pixels"
        raise ShardError(f"a shard holds {was}; expected {size[1]} x {size[0]} pixels; {_FIND}")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != size:
        raise ShardError(f"damaged JPEG data in a shard; {_FIND}")
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)


def _jpeg_size(data: NDArray[np.uint8]) -> tuple[int, int] | None:
    """(height, width) that the frame header of a JPEG file says (ITU T.81, B.2.2), nothing decoded; None of other bytes."""
    head, position = data[: 1 << 16].tobytes(), 2
    if head[:2] != b"\xff\xd8":
        return None
    while position + 9 <= len(head) and head[position] == 0xFF:
        marker = head[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header; those three are tables
            height, width = head[position + 5 : position + 7], head[position + 7 : position + 9]
            return int.from_bytes(height, "big"), int.from_bytes(width, "big")
        position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return None
