"""One open shard: what is small is read at once, images one by one."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from kpdetect.data.codec import decode_jpeg, encode_jpeg
from kpdetect.data.schema import Codec
from kpdetect.images import Image


class OpenShard:
    """An HDF5 file of pairs, addressed by row. It is closed when nobody refers to it any more.

    Args:
        path: the file.
        codec: how it stores images.

    Attributes:
        keypoints: float32 [count, K, 2], normalised.
        visible: bool [count, K].

    Raises:
        OSError, KeyError: damaged.
    """

    def __init__(self, path: Path, codec: Codec) -> None:
        self.file = h5py.File(path, "r", rdcc_nbytes=0)  # HDF5 2 keeps 8 MiB a data set, and no image is read twice
        self.codec, self.images = codec, self.file["images"]
        self.keypoints: NDArray[np.float32] = self.file["keypoints"][:]
        self.visible: NDArray[np.bool_] = self.file["visible"][:]
        self.ends: list[int] = self.file["offsets"][:].tolist() if codec == "jpeg" else []

    def image(self, row: int) -> Image:
        """Image of a row, uint8 [height, width, 3]."""
        return self.images[row] if self.codec == "raw" else decode_jpeg(self._encoded(row))  # type: ignore[no-any-return]

    def jpeg(self, row: int) -> bytes:
        """Image of a row as a JPEG file; that of the codec `jpeg` is handed on as it is."""
        return (encode_jpeg(self.images[row]) if self.codec == "raw" else self._encoded(row)).tobytes()

    def mask(self, row: int) -> NDArray[np.uint8]:
        """Foreground mask of a row, uint8 [height, width]; only where the shard has masks."""
        mask: NDArray[np.uint8] = self.file["masks"][row]
        return mask

    def pieces(self) -> list[NDArray[np.uint8]]:
        """Every JPEG file, read in one go."""
        data = self.images[:]
        return [data[begin:end] for begin, end in zip(self.ends, self.ends[1:], strict=False)]

    def _encoded(self, row: int) -> NDArray[np.uint8]:
        data: NDArray[np.uint8] = self.images[self.ends[row] : self.ends[row + 1]]
        return data
