"""Images to bytes and back: JPEG at quality 95 without chroma subsampling."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import ShardError
from kpdetect.images import Image

_SETTINGS = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def encode_jpeg(image: Image) -> NDArray[np.uint8]:
    """JPEG bytes of uint8 RGB [height, width, 3]."""
    return cv2.imencode(".jpg", image[..., ::-1], _SETTINGS)[1]  # type: ignore[return-value]


def decode_jpeg(data: NDArray[np.uint8]) -> Image:
    """Uint8 RGB [height, width, 3] of JPEG bytes.

    Raises:
        ShardError: the bytes are no image.
    """
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise ShardError("damaged JPEG data in a shard; run `kpdetect info FOLDER --verify` to find which")
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
