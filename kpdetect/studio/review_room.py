"""The studio's Review page: predictions on images or a video, and a user's corrections of them."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from pydantic import Field
from starlette.responses import Response

from kpdetect.config import StrictConfig
from kpdetect.draw import keypoint_colour
from kpdetect.errors import InputError
from kpdetect.files.lock import locked
from kpdetect.inference.corrections import TABLE, Checked, Corrections, read_corrections
from kpdetect.inference.formats.choice import FORMATS, write_formats
from kpdetect.inference.prediction_record import RECORD, read_prediction_head
from kpdetect.inference.predictions import Predictions
from kpdetect.studio.current_labels import CurrentLabels
from kpdetect.studio.documents import require_version, version_of
from kpdetect.studio.frames import Pictures
from kpdetect.studio.request import Call
from kpdetect.studio.workplace import Workplace


class CheckedPoint(StrictConfig):
    """A checked keypoint, as the page sends it."""

    at: tuple[float, float] | None
    """(x, y) in pixels; None if the keypoint is not visible."""
    by: Literal["moved", "kept", "hidden"]
    """What the user did with the keypoint."""


class CheckedImage(StrictConfig):
    """A checked image, as the page sends it."""

    row: int = Field(ge=0)
    """Row of the image or frame in the predictions."""
    version: str
    """Version of the image's corrections that the page read."""
    points: dict[int, CheckedPoint] | None
    """Checked keypoints, by their numbers in the model; None removes the image's corrections."""


class Export(StrictConfig):
    """A request to export predictions to other formats."""

    formats: tuple[str, ...] = Field(min_length=1)
    """Names of the formats, as in `kpdetect predict --format`."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """Unchecked keypoints with a lower confidence count as missing."""


class ReviewRoom:
    """Answers the requests of the Review page: shows predictions and saves corrections."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace, self.lock = workplace, Lock()
        self.labels = CurrentLabels(workplace.target)
        self.read: dict[Path, tuple[tuple[int, tuple[int, int]], Predictions]] = {}
        self.pictures: dict[Path, tuple[int, Pictures]] = {}

    def sets(self, call: Call) -> list[dict[str, Any]]:
        """List the folders of predictions."""
        return [{"name": folder.name, "folder": str(folder)} for folder in self.workplace.predictions]

    def describe(self, call: Call) -> dict[str, Any]:
        """Return all predicted keypoints of a folder, and their corrections."""
        folder = self._folder(call)
        predictions, corrections = self._predictions(folder), read_corrections(folder)
        points = predictions.points
        model = read_prediction_head(folder).model
        return {
            "folder": str(folder),
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
            "checked": {image: _plain(known) for image, known in corrections.images.items()},
            "versions": {image: _version(corrections, image) for image in corrections.images},
            "otherModel": bool(corrections.model) and corrections.model != model,
            "formats": [name for name, writer in FORMATS.items() if writer],
        }

    def picture(self, call: Call) -> Response:
        """Return an image or frame as JPEG."""
        folder, row = self._folder(call), int(call.path["row"])
        predictions = self._predictions(folder)
        if row >= len(predictions.images):
            raise InputError(f"image {row}: there are {len(predictions.images)}")
        jpeg = self._pictures(folder, predictions).jpeg(row, thumbnail=call.query.get("small") == "1")
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})

    def correct(self, call: Call) -> dict[str, Any]:
        """Save the corrections of one image."""
        folder, checked = self._folder(call), call.body(CheckedImage)
        predictions = self._predictions(folder)
        if checked.row >= len(predictions.images):
            raise InputError(f"image {checked.row}: there are {len(predictions.images)}")
        image = predictions.images[checked.row]
        points = None if checked.points is None else _required(checked.points, predictions, checked.row)
        with self.lock, locked(folder):
            before = read_corrections(folder)
            require_version(f"{TABLE}: {image}", checked.version, _version(before, image))
            model = read_prediction_head(folder).model
            after = Corrections(images=before.images, model=model).with_image(image, points)
            after.write(folder, dict(zip(predictions.points.numbers, predictions.points.names, strict=True)))
        return {"version": _version(after, image), "checked": _plain(after.images.get(image, {})), "file": str(folder / TABLE)}

    def export(self, call: Call) -> dict[str, Any]:
        """Write the predictions in formats of other tools, with the user's corrections, into their folder."""
        folder, wanted = self._folder(call), call.body(Export)
        with self.lock:
            written = write_formats(self._predictions(folder), wanted.formats, folder, wanted.min_confidence)
        return {"files": [str(path) for path in written]}

    def _folder(self, call: Call) -> Path:
        number = int(call.path["set"])
        if number >= len(self.workplace.predictions):
            raise InputError(f"predictions {number}: there are {len(self.workplace.predictions)}")
        return self.workplace.predictions[number]

    def _predictions(self, folder: Path) -> Predictions:
        """Return the predictions of a folder. They are read again if their record or the model's labels have changed."""
        written = (folder / RECORD).stat().st_mtime_ns if (folder / RECORD).is_file() else 0
        version = (written, self.labels.version)
        if folder not in self.read or self.read[folder][0] != version:
            predictions = Predictions.read(folder)
            self.read[folder] = (version, self.labels.on(predictions, read_prediction_head(folder).model))
        return self.read[folder][1]

    def _pictures(self, folder: Path, predictions: Predictions) -> Pictures:
        with self.lock:
            written = self.read[folder][0][0]
            if self.pictures.get(folder, (-1, None))[0] != written:
                self.pictures[folder] = (written, Pictures(self.workplace, folder, predictions))
            return self.pictures[folder][1]


def _required(points: dict[int, CheckedPoint], predictions: Predictions, row: int) -> dict[int, Checked]:
    """Check the keypoints that the page sent against the size of the image and the model's keypoints."""
    height, width = predictions.sizes[row].tolist()
    known = set(predictions.points.numbers)
    for number, point in points.items():
        if number not in known:
            raise InputError(f"keypoint {number}: not one of these predictions")
        if (point.at is None) != (point.by == "hidden"):
            raise InputError(f"keypoint {number}: a hidden point has no place, and every other one has")
        if point.at is not None and not (
            np.isfinite(point.at).all() and -0.5 <= point.at[0] <= width - 0.5 and -0.5 <= point.at[1] <= height - 0.5
        ):
            raise InputError(
                f"keypoint {number}: ({point.at[0]:g}, {point.at[1]:g}) is outside of the image of {width}x{height} pixels"
            )
    return {number: Checked(at_px=point.at, by=point.by) for number, point in points.items()}


def _seconds(predictions: Predictions) -> list[float] | None:
    """Return the time of each video frame in seconds; None for images, and if the file has no times."""
    if predictions.frames is None:
        return None
    times = predictions.frames / (predictions.rate or 1.0) if predictions.times is None else predictions.times
    return times.round(3).tolist() if np.isfinite(times).all() else None


def _plain(points: Any) -> dict[str, Any]:
    return {str(number): {"at": point.at_px, "by": point.by} for number, point in sorted(points.items())}


def _version(corrections: Corrections, image: str) -> str:
    known = corrections.images.get(image)
    return version_of(None if not known else json.dumps(_plain({n: _as_written(p) for n, p in known.items()})).encode())


def _as_written(point: Checked) -> Checked:
    return point if point.at_px is None else Checked(at_px=(round(point.at_px[0], 3), round(point.at_px[1], 3)), by=point.by)
