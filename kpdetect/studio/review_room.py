"""The studio's Review page: predictions on images or a video, and a user's corrections of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from pydantic import Field
from starlette.responses import Response

from kpdetect.config import StrictConfig
from kpdetect.draw import keypoint_colour
from kpdetect.errors import InputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.lock import locked
from kpdetect.inference.corrections import TABLE, Checked, Corrections, read_corrections
from kpdetect.inference.formats.choice import FORMATS, write_formats
from kpdetect.inference.prediction_record import RECORD, read_prediction_head
from kpdetect.inference.predictions import Predictions
from kpdetect.studio.current_labels import CurrentLabels
from kpdetect.studio.documents import require_version, version_of
from kpdetect.studio.frames import Pictures
from kpdetect.studio.request import Call, ConflictError
from kpdetect.studio.workplace import Workplace


class CheckedPoint(StrictConfig):
    """A checked keypoint, as the page sends it."""

    at: tuple[float, float] | None
    """(x, y) in pixels; None if the keypoint is not visible."""
    by: Literal["moved", "kept", "hidden"]
    """What the user did with the keypoint."""
    model: str | None = Field(None, max_length=200)
    """Hash of the weights on whose predictions the user checked it. None: a point that is saved like this already keeps its
    weights, and any other one was checked on these predictions."""


class CheckedImage(StrictConfig):
    """A checked image, as the page sends it."""

    row: int = Field(ge=0)
    """Row of the image or frame in the predictions."""
    image: str
    """Name of the image or frame in this row."""
    predictions: str
    """Hash of the record of the predictions that the page shows."""
    version: str
    """Version of the image's corrections that the page read."""
    points: dict[int, CheckedPoint] | None
    """Checked keypoints, by their numbers in the model; None removes the image's corrections. Corrections of keypoints that
    the predictions do not have, because a user has dropped them, stay."""


class Export(StrictConfig):
    """A request to export predictions to other formats."""

    formats: tuple[str, ...] = Field(min_length=1)
    """Names of the formats, as in `kpdetect predict --format`."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """Unchecked keypoints with a lower confidence count as missing."""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The predictions of a folder as they were read.

    Attributes:
        written: when the record was last written, in nanoseconds.
        labels: `CurrentLabels.version` of the model.
        record: hash of the record. Other images or other weights have another one.
        model: hash of the weights that made the predictions.
        predictions: the predictions, with the model's present labels.
    """

    written: int
    labels: tuple[int, int]
    record: str
    model: str
    predictions: Predictions

    def checked(self, points: Mapping[int, Checked]) -> dict[int, Checked]:
        """Return those of an image's checked keypoints that the predictions have."""
        return {number: point for number, point in points.items() if number in self.predictions.points.numbers}

    def unknown(self, points: Mapping[int, Checked]) -> dict[int, Checked]:
        """Return those of an image's checked keypoints that the predictions do not have."""
        return {number: point for number, point in points.items() if number not in self.predictions.points.numbers}

    def others(self, corrections: Corrections) -> int:
        """Count the keypoints of these predictions that a user checked on predictions of other weights."""
        known = (self.checked(corrections.images.get(image, {})) for image in self.predictions.images)
        return sum(not point.is_of(self.model) for points in known for point in points.values())

    def require(self, folder: Path, checked: CheckedImage) -> None:
        """Check that a page corrects these predictions.

        Raises:
            InputError: there is no such image.
            ConflictError: the page shows other predictions.
        """
        images = self.predictions.images
        if checked.predictions == self.record and checked.row >= len(images):
            raise InputError(f"image {checked.row}: there are {len(images)}")
        if checked.predictions != self.record or checked.image != images[checked.row]:
            raise ConflictError(f"{folder}: these predictions were made again; nothing was saved. Reload the page to see them")


class ReviewRoom:
    """Answers the requests of the Review page: shows predictions and saves corrections."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace, self.lock = workplace, Lock()
        self.labels = CurrentLabels(workplace.target)
        self.read: dict[Path, _Read] = {}
        self.pictures: dict[Path, tuple[int, Pictures]] = {}

    def sets(self, call: Call) -> list[dict[str, Any]]:
        """List the folders of predictions."""
        return [{"name": folder.name, "folder": str(folder)} for folder in self.workplace.predictions]

    def describe(self, call: Call) -> dict[str, Any]:
        """Return all predicted keypoints of a folder, and their corrections."""
        folder = self._folder(call)
        read, corrections = self._read(folder), read_corrections(folder)
        predictions, points = read.predictions, read.predictions.points
        checked = {image: read.checked(known) for image, known in corrections.images.items()}
        return {
            "folder": str(folder),
            "predictions": read.record,
            "model": read.model,
            "images": predictions.images,
            "sizes": predictions.sizes.tolist(),
            "points": predictions.keypoints_px.astype(float).round(2).tolist(),
            "confidence": predictions.confidence.astype(float).round(3).tolist(),
            "numbers": list(points.numbers),
            "names": list(points.names),
            "links": [list(link) for link in points.links],
            "colours": ["#" + "".join(f"{part:02x}" for part in keypoint_colour(number)) for number in points.numbers],
            "frames": None if predictions.frames is None else predictions.frames.tolist(),
            "seconds": _seconds(predictions),
            "checked": {image: _plain(known) for image, known in checked.items()},
            "versions": {image: _version(corrections, image) for image in corrections.images},
            "otherModel": read.others(corrections) > 0,
            "formats": [name for name, writer in FORMATS.items() if writer],
        }

    def picture(self, call: Call) -> Response:
        """Return an image or frame as JPEG."""
        folder, row = self._folder(call), int(call.path["row"])
        predictions = self._read(folder).predictions
        if row >= len(predictions.images):
            raise InputError(f"image {row}: there are {len(predictions.images)}")
        jpeg = self._pictures(folder, predictions).jpeg(row, thumbnail=call.query.get("small") == "1")
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})

    def correct(self, call: Call) -> dict[str, Any]:
        """Save the corrections of one image."""
        folder, checked = self._folder(call), call.body(CheckedImage)
        image = checked.image
        with self.lock, locked(folder):
            read = self._read(folder)
            read.require(folder, checked)
            before = read_corrections(folder)
            require_version(f"{TABLE}: {image}", checked.version, _version(before, image))
            known = before.images.get(image, {})
            points = _required(checked.points or {}, read, checked.row, known)
            after = before.with_image(image, {**read.unknown(known), **points} or None)
            numbers, names = read.predictions.points.numbers, read.predictions.points.names
            after.write(folder, dict(zip(numbers, names, strict=True)), read.model)
        saved = read.checked(after.images.get(image, {}))
        return {"version": _version(after, image), "checked": _plain(saved), "file": str(folder / TABLE)}

    def export(self, call: Call) -> dict[str, Any]:
        """Write the predictions in formats of other tools, with the user's corrections, into their folder."""
        folder, wanted = self._folder(call), call.body(Export)
        with self.lock:
            read = self._read(folder)
            written = write_formats(read.predictions, wanted.formats, folder, wanted.min_confidence)
            others = read.others(read_corrections(folder))
        return {"files": [str(path) for path in written], "others": others}

    def _folder(self, call: Call) -> Path:
        number = int(call.path["set"])
        if number >= len(self.workplace.predictions):
            raise InputError(f"predictions {number}: there are {len(self.workplace.predictions)}")
        return self.workplace.predictions[number]

    def _read(self, folder: Path) -> _Read:
        """Return the predictions of a folder. They are read again if their record or the model's labels have changed."""
        written = (folder / RECORD).stat().st_mtime_ns if (folder / RECORD).is_file() else 0
        labels, read = self.labels.version, self.read.get(folder)
        if read is None or (read.written, read.labels) != (written, labels):
            record = file_hash(folder / RECORD) if written else ""  # first, so that it is never newer than the predictions
            model, predictions = read_prediction_head(folder).model, Predictions.read(folder)
            predictions = self.labels.on(predictions, model)
            read = _Read(written=written, labels=labels, record=record, model=model, predictions=predictions)
            self.read[folder] = read
        return read

    def _pictures(self, folder: Path, predictions: Predictions) -> Pictures:
        with self.lock:
            written = self.read[folder].written
            if self.pictures.get(folder, (-1, None))[0] != written:
                self.pictures[folder] = (written, Pictures(self.workplace, folder, predictions))
            return self.pictures[folder][1]


def _required(points: dict[int, CheckedPoint], read: _Read, row: int, known: Mapping[int, Checked]) -> dict[int, Checked]:
    """Check the keypoints that the page sent against the size of the image and the model's keypoints.

    Returns:
        The keypoints, each with the hash of the weights on whose predictions the user checked it. `known` are the saved ones.
    """
    height, width = read.predictions.sizes[row].tolist()
    numbers = set(read.predictions.points.numbers)
    for number, point in points.items():
        if number not in numbers:
            raise InputError(f"keypoint {number}: not one of these predictions; reload the page to see their keypoints")
        if (point.at is None) != (point.by == "hidden"):
            raise InputError(f"keypoint {number}: a hidden point has no place, and every other one has")
        if point.at is not None and not (
            np.isfinite(point.at).all() and -0.5 <= point.at[0] <= width - 0.5 and -0.5 <= point.at[1] <= height - 0.5
        ):
            raise InputError(
                f"keypoint {number}: ({point.at[0]:g}, {point.at[1]:g}) is outside of the image of {width}x{height} pixels"
            )
    return {number: _on_weights(point, known.get(number), read.model) for number, point in points.items()}


def _on_weights(point: CheckedPoint, known: Checked | None, present: str) -> Checked:
    sent = _as_written(Checked(at_px=point.at, by=point.by))
    same = known is not None and (known.at_px, known.by) == (sent.at_px, sent.by)
    kept = known.model if known is not None and same else present
    return replace(sent, model=kept if point.model is None else point.model, name="" if known is None else known.name)


def _seconds(predictions: Predictions) -> list[float] | None:
    """Return the time of each video frame in seconds; None for images, and if the file has no times."""
    if predictions.frames is None:
        return None
    times = predictions.frames / (predictions.rate or 1.0) if predictions.times is None else predictions.times
    return times.round(3).tolist() if np.isfinite(times).all() else None


def _plain(points: Any) -> dict[str, Any]:
    return {str(number): {"at": point.at_px, "by": point.by, "model": point.model} for number, point in sorted(points.items())}


def _version(corrections: Corrections, image: str) -> str:
    known = corrections.images.get(image)
    return version_of(None if not known else json.dumps(_plain({n: _as_written(p) for n, p in known.items()})).encode())


def _as_written(point: Checked) -> Checked:
    return point if point.at_px is None else replace(point, at_px=(round(point.at_px[0], 3), round(point.at_px[1], 3)))
