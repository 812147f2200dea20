"""Keypoints that a person has checked: `corrections.csv` beside predictions.csv, which stays as the detector made it.

A row per keypoint of every checked image: `image,keypoint,x_px,y_px,visible,by,model,name`. `by` says what the person did:
`moved` the point, `kept` it where the detector put it, or `hidden` it because it is not to be seen (then without coordinates,
and visible is 0). `model` is the hash of the detector's weights that the numbers belong to. `kpdetect benchmark table:FILE`
reads this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from kpdetect.errors import FormatError
from kpdetect.files.atomic import replacing
from kpdetect.files.names import from_cell, to_cell
from kpdetect.files.reading import reading
from kpdetect.files.tables import read_table
from kpdetect.inference.predictions import Predictions

TABLE = "corrections.csv"
COLUMNS = ["image", "keypoint", "x_px", "y_px", "visible", "by", "model", "name"]
By = Literal["moved", "kept", "hidden"]
_AGAIN = "mend the line, or remove the file and check the images again"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A keypoint as a person left it.

    Attributes:
        at_px: (x, y) in pixels of the image; None where it is not to be seen.
        by: whether it was moved, kept or hidden.
    """

    at_px: tuple[float, float] | None
    by: By


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """Checked images.

    Attributes:
        images: of each checked image, by its name, each keypoint by its number.
        model: hash of the detector's weights whose keypoints these are.
    """

    images: Mapping[str, Mapping[int, Checked]]
    model: str = ""

    def with_image(self, image: str, points: Mapping[int, Checked] | None) -> Corrections:
        """The same with another state of one image; None forgets it."""
        rest = {name: known for name, known in self.images.items() if name != image}
        return replace(self, images=rest if points is None else {**self.images, image: dict(points)})

    def write(self, folder: Path, names: Mapping[int, str]) -> None:
        """Write corrections.csv; `names` are those of the keypoints.

        Raises:
            OutputError: the folder cannot be written.
        """
        rows = []
        for image, points in sorted(self.images.items()):
            for number, point in sorted(points.items()):
                x, y = ("", "") if point.at_px is None else (f"{value:.3f}" for value in point.at_px)
                seen, name = int(point.at_px is not None), names.get(number, "")
                rows.append((to_cell(image), number, x, y, seen, point.by, self.model, name))
        with replacing(folder / TABLE) as temporary:
            pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False, encoding="utf-8")


def read_corrections(folder: Path) -> Corrections:
    """The corrections beside predictions; none where there is no such file.

    Raises:
        FormatError: the file is damaged; the message names the line.
    """
    path = folder / TABLE
    if not path.is_file():
        return Corrections(images={})
    with reading(path, FormatError, _AGAIN):
        table = read_table(path, dtype=str)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"columns {', '.join(table.columns)}; expected {', '.join(COLUMNS)}")
        images: dict[str, dict[int, Checked]] = {}
        for line, (cell, keypoint, x, y, _, by, *_) in enumerate(table.itertuples(index=False, name=None), start=2):
            with reading(f"{path}, line {line}", FormatError, _AGAIN):
                images.setdefault(from_cell(cell), {})[int(keypoint)] = _point(x, y, by)
        models = list(dict.fromkeys(table["model"]))
        return Corrections(images=images, model=models[-1] if models else "")


def _point(x: str, y: str, by: str) -> Checked:
    known: By | None = next((each for each in get_args(By) if each == by), None)
    if known is None:
        raise ValueError(f"by '{by}'; expected {', '.join(get_args(By))}")
    at_px = None if by == "hidden" else (float(x), float(y))
    if at_px is not None and not np.isfinite(at_px).all():
        raise ValueError(f"{x}, {y}; expected finite numbers")
    return Checked(at_px=at_px, by=known)


def corrected(predictions: Predictions, corrections: Corrections) -> Predictions:
    """Predictions in which checked images are as the person left them: confidence 1, or 0 and NaN of a hidden keypoint."""
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
