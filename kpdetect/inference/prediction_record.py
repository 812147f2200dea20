"""`predictions.json`: the record of a table of predictions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from kpdetect.errors import FormatError
from kpdetect.files.json_stream import json_stream
from kpdetect.files.json_yaml import read_json_file
from kpdetect.files.records import Count, Record, RelativeName, checked
from kpdetect.skeleton import MOST_KEYPOINTS, SkeletonRecord

RECORD, TABLE = "predictions.json", "predictions.csv"
AGAIN = "run `kpdetect predict` again"
Side = Annotated[int, Field(ge=1, le=1 << 24)]
Size = tuple[Side, Side]
"""(height, width) in pixels."""
_ADVICE = f"not a record of predictions, {AGAIN}"
_PER_IMAGE = ("sizes", "files")
"""The keys that hold an entry for each image."""


class ClipRecord(Record):
    """The record of a predicted video."""

    name: RelativeName
    """Name of the video."""
    rate: Annotated[float, Field(gt=0)]
    """Frames per second."""
    size: Size
    """(height, width) of the frames, or of the first one if `sizes` is set, in pixels."""
    frames: Count = 0
    """Number of frames in the table."""
    sizes: tuple[tuple[Count, Side, Side], ...] | None = None
    """If the size changes: (number of frames in the table before the run, height, width) of each run of one size."""

    @model_validator(mode="after")
    def _ordered(self) -> ClipRecord:
        starts = [start for start, _, _ in self.sizes or ()]
        if starts and (starts[0] != 0 or starts != sorted(set(starts))):
            raise ValueError("expected `sizes` to begin with frame 0 of the table and to be in order")
        return self

    def frame_sizes(self, count: int) -> NDArray[np.int64]:
        """Return the (height, width) of the first `count` frames of the table, int64 [count, 2]."""
        runs = np.array(self.sizes or [(0, *self.size)], dtype=np.int64)
        return runs[np.searchsorted(runs[:, 0], np.arange(count), side="right") - 1, 1:]


def clip_record(name: str, rate: float | None, sizes: NDArray[np.int64]) -> dict[str, Any]:
    """Make the content of a `ClipRecord` from the (height, width) of each frame of the table, int64 [frames, 2]."""
    starts = [0, *(np.flatnonzero((sizes[1:] != sizes[:-1]).any(axis=1)) + 1).tolist()]
    record = {"name": name, "rate": rate, "frames": len(sizes), "size": sizes[0].tolist()}
    return record | ({"sizes": [[start, *sizes[start].tolist()] for start in starts]} if len(starts) > 1 else {})


class _Sizes(Record):
    """The sizes of some of the images in predictions.json."""

    sizes: dict[RelativeName, Size]


class PredictionRecord(Record):
    """The content of predictions.json. `sizes` is set for images, and `clip` for a video.

    Keys that this version of kpdetect does not know are kept in `content`.
    """

    model_config = ConfigDict(extra="allow")

    keypoints: Annotated[int, Field(ge=1, le=MOST_KEYPOINTS)]
    """Number of keypoints of each image in the table."""
    skeleton: SkeletonRecord | None = None
    """Numbers, names, links and pairs of the keypoints; None in records of earlier versions."""
    sizes: dict[RelativeName, Size] | None = None
    """(height, width) of each image in pixels, by name."""
    clip: ClipRecord | None = None
    """The record of the video; None for images."""
    model: str = "unknown"
    """Hash of the detector's weights file."""
    description: dict[str, Any] = Field(default_factory=dict)
    """The description inside the detector's weights file."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The settings of the prediction."""
    engine: str | None = None
    """Name of the engine that computed the network; None in records of earlier versions."""
    source: str | None = None
    """The predicted folder or file."""
    files: dict[str, str] | None = None
    """Hash of each image, by name; None in records of earlier versions."""
    skipped: dict[str, str] = Field(default_factory=dict)
    """Why inputs were skipped, by their names."""

    @model_validator(mode="after")
    def _one_kind(self) -> PredictionRecord:
        if (self.sizes is None) == (self.clip is None):
            raise ValueError("expected either `sizes` (of images) or `clip` (of a video)")
        return self

    @property
    def content(self) -> dict[str, Any]:
        """All keys, as values for JSON."""
        return self.model_dump(mode="json", exclude_unset=True)


def read_prediction_record(folder: Path) -> PredictionRecord:
    """Read the record of a predictions folder.

    Raises:
        InputError: the record is missing.
        FormatError: the record is damaged. The message names the field.
    """
    path = folder / RECORD
    return checked(PredictionRecord, read_json_file(path), path, advice=_ADVICE)


def read_prediction_head(folder: Path) -> PredictionRecord:
    """Read the record of a predictions folder without the entries of single images: `sizes` and `files` are empty.

    The memory does not grow with the number of images, and the record may be larger than `read_prediction_record` accepts.

    Raises:
        InputError: the record is missing.
        FormatError: the record is damaged. The message names the field.
    """
    content, path = dict[str, Any](), folder / RECORD
    with json_stream(path, _ADVICE) as stream:
        for key in stream.object_keys():
            content[key] = stream.emptied() if key in _PER_IMAGE else stream.value()
        stream.finish()
    return checked(PredictionRecord, content, path, advice=_ADVICE)


def is_without_list(folder: Path) -> bool:
    """Tell whether version 0.1.0 wrote the predictions in a folder. It kept no list of its overlays and other files.

    Later versions keep one (`kpdetect.data.derived_files`), and always name the engine in the record.
    """
    try:
        return (folder / RECORD).exists() and read_prediction_head(folder).engine is None
    except FormatError:
        return False


def read_sizes(folder: Path, count: int) -> Iterator[dict[str, Size]]:
    """Read the (height, width) in pixels of the images in the record of a predictions folder, by name, `count` at a time.

    Raises:
        InputError: the record is missing.
        FormatError: the record is damaged.
    """
    path = folder / RECORD
    with json_stream(path, _ADVICE) as stream:
        for key in stream.object_keys():
            if key != "sizes":
                stream.emptied()
                continue
            entries = ((name, stream.value()) for name in stream.object_keys())
            while block := dict(islice(entries, count)):
                yield checked(_Sizes, {"sizes": block}, path, advice=_ADVICE).sizes
