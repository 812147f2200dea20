"""Keypoints that a person has checked: the file `corrections.csv` in the folder of predictions.csv.

Checking does not change predictions.csv. corrections.csv has a row per keypoint of every checked image, with the columns
`image,keypoint,x_px,y_px,visible,by,model,name`. `by` says what the person did: `moved` the keypoint, `kept` it where the
detector predicted it, or marked it as `hidden` because it cannot be seen. A hidden keypoint has no coordinates, and its
`visible` is 0. `model` is the hash of the weights on whose predictions the person checked the keypoint: its number means a
place for these weights. `kpdetect benchmark table:FILE` can read this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from kpdetect.errors import FormatError
from kpdetect.files.atomic import replacing
from kpdetect.files.names import from_cell, to_cell
from kpdetect.files.reading import reading
from kpdetect.files.tables import read_table
from kpdetect.inference.predictions import Predictions

TABLE = "corrections.csv"
COLUMNS = ["image", "keypoint", "x_px", "y_px", "visible", "by", "model", "name"]
By = Literal["moved", "kept", "hidden"]
_AGAIN = "correct the line, or remove the file and check the images again"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A keypoint that a person has checked.

    Attributes:
        at_px: (x, y) in pixels of the image; None if the keypoint cannot be seen.
        by: what the person did with the keypoint: `moved`, `kept` or `hidden`.
        model: hash of the weights that predicted the keypoint; empty if unknown.
        name: name of the keypoint in the file; empty without one.
    """

    at_px: tuple[float, float] | None
    by: By
    model: str = ""
    name: str = ""

    def is_of(self, model: str) -> bool:
        """Tell whether the keypoint's number is one of the weights with this hash. Unknown weights count as these."""
        return self.model in ("", model)


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """The checked images of a predictions folder.

    Attributes:
        images: for each checked image, by its name, the checked keypoints by their numbers.
    """

    images: Mapping[str, Mapping[int, Checked]]

    def with_image(self, image: str, points: Mapping[int, Checked] | None) -> Corrections:
        """Return a copy in which `points` replace the checked keypoints of one image. None removes the image."""
        rest = {name: known for name, known in self.images.items() if name != image}
        return replace(self, images=rest if points is None else {**self.images, image: dict(points)})

    def made_on(self, model: str) -> Corrections:
        """Return a copy with only the keypoints that were checked on predictions of the weights with this hash."""
        own = {image: {n: point for n, point in points.items() if point.is_of(model)} for image, points in self.images.items()}
        return replace(self, images={image: points for image, points in own.items() if points})

    def others(self, model: str) -> int:
        """Count the keypoints that were checked on predictions of other weights than those with this hash."""
        return sum(not point.is_of(model) for points in self.images.values() for point in points.values())

    def write(self, folder: Path, names: Mapping[int, str], model: str) -> None:
        """Write corrections.csv.

        Args:
            folder: the predictions folder.
            names: names of the keypoints of one detector, by number.
            model: hash of this detector's weights. Keypoints of other weights keep the names that they have.

        Raises:
            OutputError: the folder cannot be written.
        """
        import pandas as pd

        rows = []
        for image, points in sorted(self.images.items()):
            for number, point in sorted(points.items()):
                x, y = ("", "") if point.at_px is None else (f"{value:.3f}" for value in point.at_px)
                seen, name = int(point.at_px is not None), names.get(number, point.name) if point.is_of(model) else point.name
                rows.append((to_cell(image), number, x, y, seen, point.by, to_cell(point.model), name))
        with replacing(folder / TABLE) as temporary:
            pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False, encoding="utf-8")


def read_corrections(folder: Path) -> Corrections:
    """Read the corrections in a predictions folder. If it has no corrections.csv, no image is checked.

    Raises:
        FormatError: the file is damaged. The message names the line.
    """
    path = folder / TABLE
    if not path.is_file():
        return Corrections(images={})
    with reading(path, FormatError, _AGAIN):
        table = read_table(path, dtype=str)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"got columns {', '.join(table.columns)}; expected {', '.join(COLUMNS)}")
        images: dict[str, dict[int, Checked]] = {}
        for line, (cell, keypoint, x, y, _, by, model, name) in enumerate(table.itertuples(index=False, name=None), start=2):
            with reading(f"{path}, line {line}", FormatError, _AGAIN):
                images.setdefault(from_cell(cell), {})[int(keypoint)] = _point(x, y, by, from_cell(model), name)
        return Corrections(images=images)


def _point(x: str, y: str, by: str, model: str, name: str) -> Checked:
    known: By | None = next((name for name in get_args(By) if name == by), None)
    if known is None:
        raise ValueError(f"by '{by}'; expected {', '.join(get_args(By))}")
    at_px = None if by == "hidden" else (float(x), float(y))
    if at_px is not None and not np.isfinite(at_px).all():
        raise ValueError(f"{x}, {y}; expected finite numbers")
    return Checked(at_px=at_px, by=known, model=model, name=name)


def corrected(predictions: Predictions, corrections: Corrections, model: str) -> Predictions:
    """Apply corrections to predictions. Visible checked keypoints get confidence 1, hidden ones NaN and confidence 0.

    Keypoints that a person checked on predictions of other weights are left out: their numbers may mean other places.

    Args:
        predictions: keypoints [images, K, 2] of images or frames.
        corrections: keypoints that a person has checked, by image and number.
        model: hash of the weights that made the predictions.
    """
    corrections = corrections.made_on(model)
    if not corrections.images:
        return predictions
    keypoints_px, confidence = predictions.keypoints_px.copy(), predictions.confidence.copy()
    human = np.zeros(confidence.shape, dtype=bool)
    place = {number: position for position, number in enumerate(predictions.points.numbers)}
    for row, image in enumerate(predictions.images):
        for number, point in corrections.images.get(image, {}).items():
            if number in place:
                spot = (row, place[number])
                human[spot] = True
                keypoints_px[spot] = np.nan if point.at_px is None else point.at_px
                confidence[spot] = 0.0 if point.at_px is None else 1.0
    return replace(predictions, keypoints_px=keypoints_px, confidence=confidence, human=human)
