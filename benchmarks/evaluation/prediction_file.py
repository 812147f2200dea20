"""`predictions.h5`: keypoints by data set and checkpoint, so that a benchmark can measure them again without the models.

    /DATA/HASH              a group per data set and checkpoint (hash of its weights file); K keypoints, without dropped ones
        keypoints_px        float32 [images, K, 2], (x, y) in pixels of the image file, an integer is a pixel's centre
        confidence          float32 [images, K] in [0, 1]
        numbers             int64 [K], number of each keypoint in the model; absent in files of earlier versions
        images              UTF-8 [images], paths relative to the data set's image folder
        sizes               int64 [images, 2], (height, width)
        contents            ASCII [images]: the hash of each image file's bytes; ! and the levels (`kpdetect.images.levels`) if
                            they are not automatic; @ and left, top, width, height of the region that the model sees
        seen                bool [images], whether the model's record of training images lists the image; absent without record
        @model              JSON: hash and description of the weights, minutes of training
        @environment        JSON: commit, versions, hardware, time

The file is built in memory and replaced as a whole, so a crash leaves the old file.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarks.datasets.landmarks import LandmarkSet
from kpdetect.errors import FormatError, InputError, KpdetectError
from kpdetect.files.atomic import replacing
from kpdetect.files.folders import make_folder
from kpdetect.files.hdf5 import opened_hdf5, texts_of, values_of
from kpdetect.files.hdf5_guard import written_here
from kpdetect.files.json_yaml import parse_json
from kpdetect.files.lock import locked
from kpdetect.files.reading import reading
from kpdetect.files.records import Record, RelativeName, checked
from kpdetect.images.levels import AUTO, current_levels
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton, default_name

SCHEMA, VERSION = "kpdetect-predictions", 1
NAME = "predictions.h5"
AGAIN = "predict again with `model`"
Minutes = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Predictions of one checkpoint on the images of one data set.

    Attributes:
        data: name of the data set.
        predictions: keypoints, confidence, names and sizes.
        contents: hash and region of each image file, see `shown_contents`.
        seen: bool [images], whether the model's record of training images lists the image; None without a record.
        model: hash and description of the weights, and minutes of training if they are known.
        environment: commit, versions, hardware and time of the prediction.
    """

    data: str
    predictions: Predictions
    contents: list[str]
    seen: NDArray[np.bool_] | None
    model: dict[str, Any]
    environment: dict[str, Any]

    @property
    def key(self) -> str:
        """Path of the entry's group in the file."""
        return entry_key(self.data, self.model["hash"])

    def require(self, landmark_set: LandmarkSet, source: Path) -> None:
        """Check that the predictions belong to the current images of a data set.

        Raises:
            InputError: predictions of an image are missing, or the image has changed.
        """
        known = dict(zip(self.predictions.images, self.contents, strict=True))
        for index, content in zip(landmark_set.used, shown_contents(landmark_set), strict=True):
            name = landmark_set.images[index]
            if known.get(name) != content:
                fault = "has no predictions" if name not in known else "has changed, or its crop has, since it was predicted"
                raise InputError(f"{source}: {name} of {landmark_set.name} {fault}; {AGAIN}")


def shown_contents(landmark_set: LandmarkSet) -> list[str]:
    """Identify each used image by the hash of its file and the region that the model sees."""
    used = landmark_set.used
    levels = current_levels().text
    hashes = [content if levels == AUTO else f"{content}!{levels}" for content in landmark_set.content_hashes(used)]
    if landmark_set.regions is None:
        return hashes
    boxes = landmark_set.regions.boxes[used]
    return [f"{content}@{','.join(str(int(side)) for side in box)}" for content, box in zip(hashes, boxes, strict=True)]


def write_entry(path: Path, entry: Entry) -> None:
    """Add an entry to a prediction file; it replaces an older entry of the same data set and checkpoint.

    Raises:
        FormatError: `path` is not a prediction file.
        OutputError: the file cannot be written.
    """
    make_folder(path.parent)
    with locked(path.parent):
        content = _merged(path, entry)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        written_here(path)


def read_entry(path: Path, data: str, checkpoint: str | None = None) -> Entry:
    """Read the entry of a data set and a checkpoint.

    Args:
        path: file of `write_entry`.
        data: name of the data set.
        checkpoint: hash of the weights, or its beginning; not needed if the file has one checkpoint for the data set.

    Raises:
        InputError: the file or the entry does not exist, or several entries match.
        FormatError: the file is damaged, or of another version.
    """
    with _opened(path) as file:
        hashes = sorted(file[_group(data)]) if _group(data) in file else []
        matches = [name for name in hashes if name.startswith(checkpoint or "")]
        if len(matches) != 1:
            asked = f" of checkpoint {checkpoint}" if checkpoint else ""
            raise InputError(
                f"{path}: {len(matches) or 'no'} predictions{asked} for {data}; "
                f"the file holds {', '.join(_keys(file)) or 'nothing'}: "
                + ("choose one with `checkpoint`" if matches else AGAIN)
            )
        return _read(file[f"{_group(data)}/{matches[0]}"], data, path)


def entry_key(data: str, checkpoint: str) -> str:
    """Return the path of the group of a data set and a checkpoint."""
    return f"{_group(data)}/{checkpoint}"


def is_prediction_file(path: Path) -> bool:
    """Return whether a file declares the schema of prediction files, in any version."""
    if not (path.is_file() and h5py.is_hdf5(path)):
        return False
    try:
        with opened_hdf5(path) as file:
            return bool(np.array_equal(file.attrs.get("schema"), SCHEMA))
    except KpdetectError:
        return False  # a damaged file has no schema


def entry_keys(path: Path) -> list[str]:
    """List the entries as DATA/HASH, sorted.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is damaged, or of another version.
    """
    with _opened(path) as file:
        return _keys(file)


def _keys(file: h5py.File) -> list[str]:
    return [f"{data}/{checkpoint}" for data in sorted(file) for checkpoint in sorted(file[data])]


def _group(data: str) -> str:
    return data.replace("/", "-")  # / separates groups in HDF5


def _merged(path: Path, entry: Entry) -> bytes:
    content = io.BytesIO()  # HDF5 crashes the process if a write to disk fails, so it writes to memory
    with h5py.File(content, "w", track_order=True) as new:
        new.attrs.update(schema=SCHEMA, version=VERSION)
        if path.exists():
            with _opened(path) as old:
                for key in _keys(old):
                    if key != entry.key:
                        old.copy(key, new.require_group(key.partition("/")[0]))
        _fill(new.create_group(entry.key), entry)
    return content.getvalue()


def _fill(group: h5py.Group, entry: Entry) -> None:
    predictions = entry.predictions
    group.create_dataset("keypoints_px", data=predictions.keypoints_px.astype(np.float32))
    group.create_dataset("confidence", data=predictions.confidence.astype(np.float32))
    if predictions.skeleton is not None:
        group.create_dataset("numbers", data=np.array(predictions.skeleton.numbers, np.int64))
    group.create_dataset("images", data=np.array(predictions.images, object), dtype=h5py.string_dtype())
    group.create_dataset("sizes", data=predictions.sizes.astype(np.int64))
    group.create_dataset("contents", data=np.array(entry.contents, object), dtype=h5py.string_dtype("ascii"))
    if entry.seen is not None:
        group.create_dataset("seen", data=entry.seen)
    group.attrs.update(model=json.dumps(entry.model), environment=json.dumps(entry.environment))


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a prediction file; any failure in the block means that the file is damaged."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; {AGAIN}")
    with opened_hdf5(path, FormatError, f"delete it, then {AGAIN}") as file:
        version = (file.attrs.get("schema"), file.attrs.get("version"))
        if not np.array_equal(version[0], SCHEMA) or not np.array_equal(version[1], VERSION):
            raise FormatError(f"{path}: schema and version {version}; expected {(SCHEMA, VERSION)}; delete it, then {AGAIN}")
        yield file


class _Model(Record):
    """The model of an entry; further keys are allowed."""

    hash: str
    description: dict[str, Any] | None = None
    minutes: dict[str, Minutes] | None = None


class _Environment(Record):
    """The environment of an entry; further keys are allowed."""

    time: str = "unknown"
    commit: str


def _read(group: h5py.Group, data: str, path: Path) -> Entry:
    source = f"{path}: {group.name}"
    with reading(source, FormatError, f"delete the file, then {AGAIN}"):
        images = texts_of(group, "images")
        count = len(images)
        keypoints_px = values_of(group, "keypoints_px", np.float32, (count, None, 2))
        entry = Entry(
            data=data,
            predictions=Predictions(
                images=[checked(RelativeName, name, source) for name in images],
                keypoints_px=keypoints_px,
                confidence=values_of(group, "confidence", np.float32, keypoints_px.shape[:2]),
                sizes=values_of(group, "sizes", np.int64, (count, 2)),
                skeleton=_skeleton(group, keypoints_px.shape[1], source),
            ),
            contents=texts_of(group, "contents", count),
            seen=values_of(group, "seen", np.bool_, (count,)) if "seen" in group else None,
            model=_attribute(group, "model", _Model, source),
            environment=_attribute(group, "environment", _Environment, source),
        )
        _require_numbers(entry.predictions)
        if entry.model["hash"] != group.name.split("/")[-1]:
            raise ValueError("the name of the group is not the hash of its model")
    return entry


def _skeleton(group: h5py.Group, count: int, source: str) -> Skeleton | None:
    if "numbers" not in group:
        return None
    numbers = values_of(group, "numbers", np.int64, (count,)).tolist()
    record = {"numbers": numbers, "names": [default_name(number) for number in numbers], "links": [], "pairs": []}
    return Skeleton.from_record(record, source)


def _attribute(group: h5py.Group, name: str, kind: type[Record], source: str) -> dict[str, Any]:
    content = parse_json(str(group.attrs[name]), source)
    checked(kind, content, source)
    return dict(content)


def _require_numbers(predictions: Predictions) -> None:
    if not (
        np.isfinite(predictions.keypoints_px).all()
        and ((predictions.confidence >= 0) & (predictions.confidence <= 1.001)).all()
    ):
        raise ValueError("keypoints_px or confidence has values out of range")
    if not len(predictions.images) or not predictions.keypoints_px.shape[1] or (predictions.sizes < 1).any():
        raise ValueError("holds no images, no keypoints, or an image without pixels")
