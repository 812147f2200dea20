"""Keypoints of many images: in memory, and as a long CSV with a JSON file beside it that says where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpdetect.errors import FormatError, InputError
from kpdetect.files import read_json, replacing, write_json

COLUMNS = ["image", "keypoint", "x_px", "y_px", "confidence"]
TABLE, RECORD = "predictions.csv", "predictions.json"


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Keypoints of images.

    Attributes:
        images: POSIX paths relative to the input folder.
        keypoints_px: float32 [images, K, 2] in the original pixels of each image.
        confidence: float32 [images, K] in [0, 1].
        sizes: int64 [images, 2], (height, width) of each image.
    """

    images: list[str]
    keypoints_px: NDArray[np.float32]
    confidence: NDArray[np.float32]
    sizes: NDArray[np.int64]

    def to_frame(self) -> pd.DataFrame:
        """The long table: one row per image and keypoint, columns `COLUMNS`."""
        count = self.keypoints_px.shape[1]
        return pd.DataFrame(
            {
                "image": np.repeat(np.array(self.images, dtype=object), count),
                "keypoint": np.tile(np.arange(count), len(self.images)),
                "x_px": self.keypoints_px[..., 0].ravel().round(3),
                "y_px": self.keypoints_px[..., 1].ravel().round(3),
                "confidence": self.confidence.ravel().round(4),
            }
        )

    def write(self, folder: Path, provenance: dict[str, Any]) -> None:
        """Write predictions.csv, then predictions.json; the second is there only if the first is complete.

        Raises:
            OutputError: the folder cannot be written.
        """
        (folder / RECORD).unlink(missing_ok=True)
        with replacing(folder / TABLE) as temporary:
            self.to_frame().to_csv(temporary, index=False)
        sizes = {image: size.tolist() for image, size in zip(self.images, self.sizes, strict=True)}
        write_json(folder / RECORD, {**provenance, "keypoints": int(self.keypoints_px.shape[1]), "sizes": sizes})

    @classmethod
    def read(cls, folder: Path) -> Predictions:
        """Read a predictions folder.

        Raises:
            InputError: a file is missing.
            FormatError: a file is damaged, or the two do not fit each other.
        """
        record, path = read_json(folder / RECORD), folder / TABLE
        try:
            table = pd.read_csv(path, dtype={"image": str}, keep_default_na=False)  # "NA" is a name
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; run `kpdetect predict` again") from error
        except (pd.errors.ParserError, UnicodeDecodeError, ValueError) as error:
            raise FormatError(f"{path}: not a table of predictions ({error}); run `kpdetect predict` again") from error
        try:
            sizes, count = dict(record["sizes"]), int(record["keypoints"])
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"{folder / RECORD}: not a record of predictions ({error}); run `kpdetect predict` again"
            ) from error
        images = list(sizes)
        if list(table.columns) != COLUMNS or len(table) != len(images) * count:
            raise FormatError(
                f"{path}: got columns {', '.join(table.columns)} and {len(table)} rows, expected {', '.join(COLUMNS)} and "
                f"{len(images) * count}; run `kpdetect predict` again"
            )
        expected = [(image, number) for image in images for number in range(count)]
        if list(zip(table["image"], table["keypoint"], strict=True)) != expected:
            raise FormatError(f"{path}: rows are not in the order of {RECORD}; run `kpdetect predict` again")
        try:
            values = table[COLUMNS[2:]].to_numpy(np.float32).reshape(len(images), count, 3)
        except ValueError as error:
            raise FormatError(f"{path}: holds a value that is no number ({error}); run `kpdetect predict` again") from error
        return cls(
            images=images,
            keypoints_px=np.ascontiguousarray(values[..., :2]),
            confidence=np.ascontiguousarray(values[..., 2]),
            sizes=np.array(list(sizes.values()), dtype=np.int64).reshape(len(images), 2),
        )
