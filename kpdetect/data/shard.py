"""An open shard, which is an HDF5 file of pairs, and the encoding of its images.

Keypoints are read when the shard is opened, and images one by one on demand. JPEG images have quality 95 without chroma
subsampling.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from kpdetect.data.schema import Facts
from kpdetect.errors import ShardError
from kpdetect.files.hdf5 import array_of, open_hdf5, values_of
from kpdetect.files.reading import reading
from kpdetect.images.arrays import Image

_FIND = "run `kpdetect info FOLDER --verify` to find the shard"
_SETTINGS = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def encode_jpeg(image: Image) -> NDArray[np.uint8]:
    """Encode an image, uint8 RGB [height, width, 3], as JPEG bytes."""
    return cv2.imencode(".jpg", image[..., ::-1], _SETTINGS)[1]  # type: ignore[return-value]


def decode_jpeg(data: NDArray[np.uint8], size: tuple[int, int]) -> Image:
    """Decode JPEG bytes to an image, uint8 RGB [height, width, 3].

    Args:
        data: the bytes.
        size: expected (height, width). An image of another size is not decoded.

    Raises:
        ShardError: the bytes are not a JPEG image, or the image has another size.
    """
    actual = _jpeg_size(data)
    if actual != size:
        got = "no JPEG image" if actual is None else f"an image of {actual[1]} x {actual[0]} pixels"
        raise ShardError(f"a shard holds {got}, expected {size[1]} x {size[0]} pixels; {_FIND}")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != size:
        raise ShardError(f"damaged JPEG data in a shard; {_FIND}")
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)


def _jpeg_size(data: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Read (height, width) from the frame header of a JPEG file (ITU T.81, B.2.2), without decoding; None for other bytes."""
    head, position = data[: 1 << 16].tobytes(), 2
    if head[:2] != b"\xff\xd8":
        return None
    while position + 9 <= len(head) and head[position] == 0xFF:
        marker = head[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header; the three excluded markers are tables
            height, width = head[position + 5 : position + 7], head[position + 7 : position + 9]
            return int.from_bytes(height, "big"), int.from_bytes(width, "big")
        position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return None


REPAIR = "run the same `kpdetect generate` command again; it makes only damaged and missing shards"


class OpenShard:
    """An open HDF5 file of pairs, read by row. It is closed when nothing refers to it any more.

    Args:
        path: the file.
        facts: the values that all shards of the folder share.
        count: number of pairs in this shard.

    Attributes:
        keypoints: float32 [count, K, 2], normalised.
        visible: bool [count, K].

    Raises:
        ShardError: the file is damaged, its types or shapes differ from those in the manifest, or it links to data in other
            files.
    """

    def __init__(self, path: Path, facts: Facts, count: int) -> None:
        self.path, self.facts, self.codec = path, facts, facts.codec
        self.file = open_hdf5(
            path, ShardError, REPAIR, rdcc_nbytes=0
        )  # HDF5 2 caches 8 MiB per data set, but no image is read twice
        with reading(path, ShardError, REPAIR):
            self.keypoints: NDArray[np.float32] = values_of(self.file, "keypoints", np.float32, (count, facts.keypoints, 2))
            self.visible: NDArray[np.bool_] = values_of(self.file, "visible", np.bool_, (count, facts.keypoints))
            if not np.isfinite(self.keypoints).all():
                raise ValueError("keypoints holds values that are not numbers")
            shape = (count, *facts.size, 3) if facts.codec == "raw" else (None,)
            self.images: h5py.Dataset = array_of(self.file, "images", np.uint8, shape)
            self.masks = array_of(self.file, "masks", np.uint8, (count, *facts.size)) if facts.masks else None
            self.ends: list[int] = self._read_ends(count) if facts.codec == "jpeg" else []

    def _read_ends(self, count: int) -> list[int]:
        ends = values_of(self.file, "offsets", np.int64, (count + 1,))
        stored = self.images.shape[0]
        if ends[0] != 0 or (np.diff(ends) < 0).any() or ends[-1] != stored or stored > self.path.stat().st_size:
            raise ValueError(f"offsets do not divide the {stored:,} bytes of images")
        return [int(end) for end in ends]

    def image(self, row: int) -> Image:
        """Read the image of a row, uint8 [height, width, 3].

        Raises:
            ShardError: the shard is damaged.
        """
        with reading(self.path, ShardError, REPAIR):
            return self.images[row] if self.codec == "raw" else decode_jpeg(self._encoded(row), self.facts.size)  # type: ignore[no-any-return]

    def jpeg(self, row: int) -> bytes:
        """Read the image of a row as a JPEG file. With the codec `jpeg` the stored bytes are returned.

        Raises:
            ShardError: the shard is damaged.
        """
        with reading(self.path, ShardError, REPAIR):
            return (encode_jpeg(self.images[row]) if self.codec == "raw" else self._encoded(row)).tobytes()

    def mask(self, row: int) -> NDArray[np.uint8]:
        """Read the foreground mask of a row, uint8 [height, width].

        Raises:
            ShardError: the shard is damaged, or the pairs have no masks.
        """
        if self.masks is None:
            raise ShardError(f"{self.path}: this shard holds no masks")
        with reading(self.path, ShardError, REPAIR):
            mask: NDArray[np.uint8] = self.masks[row]
            return mask

    def pieces(self) -> list[NDArray[np.uint8]]:
        """Read the JPEG files of all images at once.

        Raises:
            ShardError: the shard is damaged.
        """
        with reading(self.path, ShardError, REPAIR):
            data = self.images[:]
        return [data[begin:end] for begin, end in zip(self.ends, self.ends[1:], strict=False)]

    def read_raw(self, target: NDArray[np.uint8]) -> None:
        """Read all images of a shard of the codec `raw` into `target`, uint8 [count, height, width, 3].

        Raises:
            ShardError: the shard is damaged.
        """
        with reading(self.path, ShardError, REPAIR):
            self.images.read_direct(target)

    def _encoded(self, row: int) -> NDArray[np.uint8]:
        data: NDArray[np.uint8] = self.images[self.ends[row] : self.ends[row + 1]]
        return data
