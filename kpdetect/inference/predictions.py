"""Predicted keypoints of images or of a video's frames: in memory, and as the files predictions.csv and predictions.json.

predictions.json records how the keypoints in predictions.csv were made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.json_stream import Entries, write_json_stream
from kpdetect.files.names import to_cell
from kpdetect.files.reading import reading, shortened
from kpdetect.inference.prediction_record import (
    AGAIN,
    RECORD,
    TABLE,
    ClipRecord,
    PredictionRecord,
    Size,
    clip_record,
    read_prediction_head,
    read_sizes,
)
from kpdetect.inference.prediction_rows import NAME_COLUMN, opened_rows, rows_of
from kpdetect.skeleton import Skeleton

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "NAME_COLUMN",
    "RECORD",
    "TABLE",
    "VIDEOS",
    "VIDEO_COLUMNS",
    "Predictions",
    "frame_names",
    "write_predictions",
]

COLUMNS = ["image", "keypoint", "x_px", "y_px", "confidence"]
VIDEO_COLUMNS = ["frame", "time_s", *COLUMNS[1:]]
BLOCK = 10_000
"""Number of images whose rows are in memory at a time while a table is written, or read in blocks."""
PARQUET = "predictions.parquet"
"""Name of the folder that holds the predictions as Parquet files, see `kpdetect.inference.formats.parquet`."""
VIDEOS = "videos"


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Keypoints of images, or of the frames of one video.

    Attributes:
        images: POSIX paths relative to the input folder. For a video, VIDEO/FRAME.png, for tools that need a name per frame.
        keypoints_px: float32 [images, K, 2] in the original pixels of each image.
        confidence: float32 [images, K] in [0, 1].
        sizes: int64 [images, 2], (height, width) of each image.
        skeleton: numbers, names, links and left-right pairs of the keypoints. None: they have the numbers 0 to K - 1 and no
            names.
        frames: int64 [images], the number of each frame in its video; None for images.
        rate: frames per second of the video, on average; None for images.
        times: float64 [images], presentation time of each frame in seconds since the first frame of the video, NaN where the
            file states none; by default computed from `frames` and `rate`.
        human: bool [images, K], True for keypoints that a person has checked (`kpdetect.inference.corrections`); None if
            nobody has checked any.
    """

    images: list[str]
    keypoints_px: NDArray[np.float32]
    confidence: NDArray[np.float32]
    sizes: NDArray[np.int64]
    skeleton: Skeleton | None = None
    frames: NDArray[np.int64] | None = None
    rate: float | None = None
    times: NDArray[np.float64] | None = None
    human: NDArray[np.bool_] | None = None

    @classmethod
    def none(cls, skeleton: Skeleton) -> Predictions:
        """Make predictions of no image."""
        count = len(skeleton.numbers)
        return cls(
            images=[],
            keypoints_px=np.zeros((0, count, 2), dtype=np.float32),
            confidence=np.zeros((0, count), dtype=np.float32),
            sizes=np.zeros((0, 2), dtype=np.int64),
            skeleton=skeleton,
        )

    @property
    def points(self) -> Skeleton:
        """The skeleton. If it is None, a skeleton of all keypoints without names."""
        return self.skeleton or Skeleton.plain(self.keypoints_px.shape[1])

    def confident(self, min_confidence: float) -> NDArray[np.float32]:
        """Return a copy of `keypoints_px` that is NaN where the confidence is below `min_confidence`."""
        return np.where((self.confidence >= min_confidence)[..., None], self.keypoints_px, np.float32(np.nan))

    def to_pandas(self) -> pd.DataFrame:
        """Make a table with a row per image and keypoint. Its columns are `COLUMNS` or `VIDEO_COLUMNS`, and names if any."""
        import pandas as pd

        count, points = self.keypoints_px.shape[1], self.points
        columns: dict[str, Any] = {}
        if self.frames is None:
            columns["image"] = np.repeat(np.array(self.images, dtype=object), count)
        else:
            columns["frame"] = np.repeat(self.frames, count)
            times = self.frames / (self.rate or 1.0) if self.times is None else self.times
            columns["time_s"] = np.repeat(times.round(4), count)
        columns["keypoint"] = np.tile(np.array(points.numbers, dtype=np.int64), len(self.images))
        columns["x_px"] = self.keypoints_px[..., 0].ravel().round(3)
        columns["y_px"] = self.keypoints_px[..., 1].ravel().round(3)
        columns["confidence"] = self.confidence.ravel().round(4)
        if points.named:
            columns[NAME_COLUMN] = list(points.names) * len(self.images)
        return pd.DataFrame(columns)

    def write(self, folder: Path | str, provenance: dict[str, Any]) -> Predictions:
        """Write predictions.csv, then predictions.json. The second file exists only if the first one is complete.

        Returns:
            The predictions as `read` returns them: rounded as in predictions.csv. Overlays and other formats made from them
            agree with this file.

        Raises:
            OutputError: the folder cannot be written.
        """
        folder = Path(folder)
        write_predictions(folder, self.blocks, provenance)
        if self.frames is None and np.isfinite(self.keypoints_px).all():  # reading the table again takes much memory
            keypoints_px, confidence = self.keypoints_px.round(3), self.confidence.round(4)
            return replace(self, keypoints_px=keypoints_px, confidence=confidence, skeleton=self.points)
        return self.read(folder)

    def blocks(self) -> Iterator[Predictions]:
        """Yield the images or frames in blocks of `BLOCK`. Without images, yield one empty block."""
        return (self.part(slice(start, start + BLOCK)) for start in range(0, max(1, self.count), BLOCK))

    @property
    def count(self) -> int:
        """Number of images or frames."""
        return len(self.images)

    def part(self, own: slice) -> Predictions:
        """Select some of the images or frames."""
        arrays = ("keypoints_px", "confidence", "sizes", "frames", "times", "human")
        cut: dict[str, Any] = {name: None if (values := getattr(self, name)) is None else values[own] for name in arrays}
        return replace(self, images=self.images[own], **cut)

    @classmethod
    def read(cls, folder: Path | str) -> Predictions:
        """Read a predictions folder.

        Raises:
            InputError: a file is missing.
            FormatError: a file is damaged, or the two files do not fit each other.
        """
        folder = Path(folder)
        head, path = read_prediction_head(folder), folder / TABLE
        if head.clip is None:
            blocks = list(cls._read_images(folder, head))
            if not blocks:
                return cls.none(_skeleton(head, folder))
            arrays = ("keypoints_px", "confidence", "sizes")
            whole: dict[str, Any] = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in arrays}
            return replace(blocks[0], images=[image for block in blocks for image in block.images], **whole)
        with _reading_table(path):
            with opened_rows(path) as file:
                table = rows_of(file)
            return cls._joined(table, _frames(head.clip, table, head.keypoints), _skeleton(head, folder), path)

    @classmethod
    def read_blocks(cls, folder: Path | str) -> Iterator[Predictions]:
        """Read a predictions folder in blocks of `BLOCK` images. The frames of a video are read at once.

        Raises:
            InputError: a file is missing.
            FormatError: a file is damaged, or the two files do not fit each other.
        """
        folder = Path(folder)
        head = read_prediction_head(folder)
        return cls._read_images(folder, head) if head.clip is None else cls.read(folder).blocks()

    @classmethod
    def _read_images(cls, folder: Path, head: PredictionRecord) -> Iterator[Predictions]:
        skeleton, path = _skeleton(head, folder), folder / TABLE
        with _reading_table(path), opened_rows(path) as file:
            for sizes in read_sizes(folder, BLOCK):
                yield cls._joined(rows_of(file, len(sizes) * head.keypoints), _images(sizes), skeleton, path)
            if len(rows_of(file, 1)):
                raise FormatError(f"{path}: more images than {RECORD} lists; {AGAIN}")

    @classmethod
    def _joined(cls, table: pd.DataFrame, inputs: dict[str, Any], skeleton: Skeleton, path: Path) -> Predictions:
        points_px, confidence = _values(table, inputs, skeleton, path)
        return cls(keypoints_px=points_px, confidence=confidence, skeleton=skeleton, **inputs)


def write_predictions(folder: Path, blocks: Callable[[], Iterator[Predictions]], provenance: dict[str, Any]) -> None:
    """Write predictions.csv, then predictions.json. The second file exists only if the first one is complete.

    Only one block is in memory at a time.

    Args:
        folder: folder of the files.
        blocks: function that yields the predictions in blocks, in the order of the table. It is called several times.
        provenance: the first keys of predictions.json. The values may be `kpdetect.files.json_stream.Entries`.

    Raises:
        OutputError: the folder cannot be written.
    """
    (folder / RECORD).unlink(missing_ok=True)
    with replacing(folder / TABLE) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        for block in blocks():
            table = replace(block, images=[to_cell(image) for image in block.images]).to_pandas()
            table.to_csv(file, index=False, header=file.tell() == 0)
    first = next(blocks())
    record = {**provenance, "keypoints": int(first.keypoints_px.shape[1]), "skeleton": first.points.to_record()}
    if first.frames is None:
        sizes = (zip(block.images, map(tuple, block.sizes.tolist()), strict=True) for block in blocks())
        record["sizes"] = Entries(chain.from_iterable(sizes))
    else:
        clip = first.images[0].rpartition("/")[0]
        record["clip"] = clip_record(clip, first.rate, np.concatenate([block.sizes for block in blocks()]))
    write_json_stream(folder / RECORD, record)


@contextmanager
def _reading_table(path: Path) -> Iterator[None]:
    if not path.exists():
        raise InputError(f"{path}: no such file; {AGAIN}")
    with reading(path, FormatError, f"not a table of predictions; {AGAIN}"):
        yield


def _skeleton(record: PredictionRecord, folder: Path) -> Skeleton:
    skeleton = Skeleton.plain(record.keypoints) if record.skeleton is None else record.skeleton.skeleton()
    if len(skeleton.numbers) != record.keypoints:
        raise FormatError(
            f"{folder / RECORD}: {record.keypoints} keypoints, but a skeleton of {len(skeleton.numbers)}; {AGAIN}"
        )
    return skeleton


def _values(table: pd.DataFrame, inputs: dict[str, Any], skeleton: Skeleton, path: Path) -> tuple[NDArray[np.float32], ...]:
    """Read `keypoints_px` and `confidence` from a table. Its rows must be exactly those that predictions.json lists."""
    items, count = inputs["images"], len(skeleton.numbers)
    columns = (COLUMNS if inputs.get("frames") is None else VIDEO_COLUMNS) + [NAME_COLUMN] * skeleton.named
    if list(table.columns) != columns or len(table) != len(items) * count:
        got = f"{path}: got columns {shortened(', '.join(map(str, table.columns)))} and {len(table)} rows"
        raise FormatError(f"{got}, expected {', '.join(columns)} and {len(items) * count} rows; {AGAIN}")
    labels = items if "image" in columns else inputs["frames"].tolist()
    expected = [(item, number) for item in labels for number in skeleton.numbers]
    if list(zip(table[columns[0]], table["keypoint"], strict=True)) != expected:
        raise FormatError(f"{path}: the rows are not in the order of {RECORD}; {AGAIN}")
    try:
        values = table[COLUMNS[2:]].to_numpy(np.float32).reshape(len(items), count, 3)
    except ValueError as error:
        raise FormatError(f"{path}: a value is not a number ({shortened(str(error))}); {AGAIN}") from error
    if not np.isfinite(values).all() or (values[..., 2] < 0).any() or (values[..., 2] > 1.001).any():
        raise FormatError(f"{path}: a keypoint is not a number, or a confidence is outside of 0 to 1; {AGAIN}")
    return np.ascontiguousarray(values[..., :2]), np.ascontiguousarray(values[..., 2])


def _images(sizes: dict[str, Size]) -> dict[str, Any]:
    return {"images": list(sizes), "sizes": np.array(list(sizes.values()), dtype=np.int64).reshape(len(sizes), 2)}


def _frames(clip: ClipRecord, table: pd.DataFrame, count: int) -> dict[str, Any]:
    import pandas as pd

    frames = table["frame"].to_numpy(np.int64)[::count]
    return {
        "images": frame_names(clip.name, frames),
        "sizes": clip.frame_sizes(len(frames)),
        "frames": frames,
        "rate": clip.rate,
        "times": pd.to_numeric(table["time_s"].replace("", np.nan)).to_numpy(np.float64)[::count],
    }


def frame_names(clip: str, frames: NDArray[np.int64]) -> list[str]:
    """Name the frames of a video, for tools that need an image per frame."""
    return [f"{clip}/{frame:06d}.png" for frame in frames]
