"""Errors of every test image and landmark, under the headline regression: what rows are compared by and pages are drawn from.

A CSV beside the result, `<name>-errors.csv`: `image,landmark,true_x_px,true_y_px`, with a model `x_px,y_px` (where it puts the
landmark), then a column `error of METHOD` for each row, in the numbers of the protocol's metric. Hidden landmarks are empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluate import Measured
from benchmarks.protocol import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files import replacing
from kpdetect.names import from_cell, to_cell
from kpdetect.reading import reason
from kpdetect.tables import read_table

PREFIX = "error of "
TRUE, PREDICTED = ["true_x_px", "true_y_px"], ["x_px", "y_px"]


@dataclass(frozen=True, kw_only=True)
class ErrorTable:
    """Errors of the test images.

    Attributes:
        images: names.
        landmarks: names.
        true_px: [images, landmarks, 2] in pixels of the image files; NaN where hidden.
        predicted_px: [images, landmarks, 2], the model's; None in a result of the baselines alone.
        errors: [images, landmarks] by method, the model first; NaN where hidden.
    """

    images: list[str]
    landmarks: list[str]
    true_px: NDArray[np.float64]
    predicted_px: NDArray[np.float64] | None
    errors: dict[str, NDArray[np.float64]]


def error_table(rows: Sequence[Measured], landmark_set: LandmarkSet, protocol: Protocol) -> ErrorTable:
    """The errors of a result's headline rows."""
    regression, test = protocol.headline, landmark_set.test
    headline = [measured for measured in rows if measured.row.headline]
    model = [measured.evaluation.predicted for measured in headline if measured.row.kind == "model"]
    predicted = [regression.frame.unplace(points, landmark_set.sizes[test], regression.origin) for points in model]
    return ErrorTable(
        images=[landmark_set.images[index] for index in test],
        landmarks=list(protocol.landmarks),
        true_px=landmark_set.to_file_px(landmark_set.landmarks_px[test], test),
        predicted_px=landmark_set.to_file_px(predicted[0], test) if predicted else None,
        errors={measured.row.method: measured.evaluation.errors for measured in headline},
    )


def write_errors(table: ErrorTable, path: Path) -> Path:
    """Write the CSV.

    Raises:
        OutputError: it cannot be written.
    """
    import pandas as pd

    columns: dict[str, object] = {
        "image": np.repeat(np.array([to_cell(name) for name in table.images], object), len(table.landmarks)),
        "landmark": [to_cell(name) for name in table.landmarks] * len(table.images),
    }
    places = ((TRUE, table.true_px), (PREDICTED, table.predicted_px))
    for names, points in places:
        if points is not None:
            columns |= {name: points[..., axis].ravel().round(3) for axis, name in enumerate(names)}
    columns |= {PREFIX + method: errors.ravel().round(6) for method, errors in table.errors.items()}
    with replacing(path) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)
    return path


def read_errors(path: Path) -> ErrorTable:
    """Read what `write_errors` wrote.

    Raises:
        InputError: no such file.
        FormatError: damaged.
    """
    import pandas as pd

    try:
        found = read_table(path, dtype={"image": str, "landmark": str}, na_values={"": [""]})
        landmarks = list(dict.fromkeys(found["landmark"].map(from_cell)))
        numbers = found.drop(columns=["image", "landmark"]).apply(pd.to_numeric).to_numpy(np.float64)
        values = numbers.reshape(-1, len(landmarks), numbers.shape[1])
        names = [str(name) for name in found.columns[2:]]
        pick = {name: values[..., column] for column, name in enumerate(names)}
        return ErrorTable(
            images=[from_cell(str(name)) for name in found["image"][:: len(landmarks)]],
            landmarks=landmarks,
            true_px=np.stack([pick[name] for name in TRUE], axis=-1),
            predicted_px=np.stack([pick[name] for name in PREDICTED], axis=-1) if set(PREDICTED) <= set(names) else None,
            errors={name.removeprefix(PREFIX): pick[name] for name in names if name.startswith(PREFIX)},
        )
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; it belongs beside the result of the same name") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, KeyError, ValueError, ZeroDivisionError) as error:
        raise FormatError(f"{path}: damaged table of errors ({reason(error)}); run the benchmark again") from error
