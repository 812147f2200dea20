"""The result file: JSON, schema `kpdetect-result`, with the rows, the data, the code and the model. Reading checks every field.

The table of errors is the CSV file `<name>-errors.csv` next to the result, for comparisons and reports. It holds the error of
every test image and landmark in the protocol's main regression (headline). Its columns are:

    image, landmark, true_x_px, true_y_px    the annotated landmark
    group                                    the group of the image, if the data set has groups; intervals resample groups
    x_px, y_px                               the predicted landmark, with a model
    error of METHOD                          one column per method, in the protocol's metric

Cells of hidden landmarks are empty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NotRequired

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.evaluate import MeasuredRow
from benchmarks.evaluation.result_row import Row
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import read_json, replacing, write_json
from kpdetect.files.hashes import file_hash
from kpdetect.files.names import from_cell, to_cell
from kpdetect.files.reading import reason
from kpdetect.files.tables import read_table

PREFIX = "error of "
GROUP = "group"
GROUPED = "intervals and differences resample whole groups"
TRUE, PREDICTED = ["true_x_px", "true_y_px"], ["x_px", "y_px"]


@dataclass(frozen=True, kw_only=True)
class ErrorTable:
    """Errors of the test images.

    Attributes:
        images: names of the images.
        landmarks: names of the landmarks.
        true_px: annotated landmarks [images, landmarks, 2] in pixels of the image files; NaN where hidden.
        predicted_px: landmarks that the model predicts, like `true_px`; None in a result of the baselines alone.
        errors: errors [images, landmarks] by method, the model first; NaN where hidden.
        groups: [images], the group of each image; None without groups.
    """

    images: list[str]
    landmarks: list[str]
    true_px: NDArray[np.float64]
    predicted_px: NDArray[np.float64] | None
    errors: dict[str, NDArray[np.float64]]
    groups: NDArray[np.int64] | None = None


def error_table(rows: Sequence[MeasuredRow], landmark_set: LandmarkSet, protocol: Protocol) -> ErrorTable:
    """Build the table of errors from the rows of the protocol's main regression."""
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
        groups=landmark_set.test_groups,
    )


def resampled(landmark_set: LandmarkSet) -> tuple[str, ...]:
    """Return the note that intervals resample groups of test images; empty if the data set has no groups."""
    groups = landmark_set.test_groups
    return () if groups is None else (f"{GROUPED}: {len(np.unique(groups)):,} groups of {len(groups):,} test images",)


def write_errors(table: ErrorTable, path: Path) -> Path:
    """Write a table of errors as CSV.

    Raises:
        OutputError: the file cannot be written.
    """
    import pandas as pd

    columns: dict[str, object] = {
        "image": np.repeat(np.array([to_cell(name) for name in table.images], object), len(table.landmarks)),
        "landmark": [to_cell(name) for name in table.landmarks] * len(table.images),
    }
    if table.groups is not None:
        columns[GROUP] = np.repeat(table.groups, len(table.landmarks))
    places = ((TRUE, table.true_px), (PREDICTED, table.predicted_px))
    for names, points in places:
        if points is not None:
            columns |= {name: points[..., axis].ravel().round(3) for axis, name in enumerate(names)}
    columns |= {PREFIX + method: errors.ravel().round(6) for method, errors in table.errors.items()}
    with replacing(path) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)
    return path


def read_errors(path: Path) -> ErrorTable:
    """Read a table of errors.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is damaged.
    """
    import pandas as pd

    try:
        table = read_table(path, dtype={"image": str, "landmark": str}, na_values={"": [""]})
        landmarks = list(dict.fromkeys(table["landmark"].map(from_cell)))
        groups = table.pop(GROUP).astype(np.int64).to_numpy(np.int64) if GROUP in table else None
        numbers = table.drop(columns=["image", "landmark"]).apply(pd.to_numeric).to_numpy(np.float64)
        values = numbers.reshape(-1, len(landmarks), numbers.shape[1])
        names = [str(name) for name in table.columns[2:]]
        pick = {name: values[..., column] for column, name in enumerate(names)}
        return ErrorTable(
            images=[from_cell(str(name)) for name in table["image"][:: len(landmarks)]],
            landmarks=landmarks,
            true_px=np.stack([pick[name] for name in TRUE], axis=-1),
            predicted_px=np.stack([pick[name] for name in PREDICTED], axis=-1) if set(PREDICTED) <= set(names) else None,
            errors={name.removeprefix(PREFIX): pick[name] for name in names if name.startswith(PREFIX)},
            groups=None if groups is None else np.asarray(groups[:: len(landmarks)], np.int64),
        )
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; put it next to the result of the same name") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, KeyError, ValueError, ZeroDivisionError) as error:
        raise FormatError(f"{path}: damaged table of errors ({reason(error)}); run the benchmark again") from error


SCHEMA, VERSION = "kpdetect-result", 3
AGAIN = "run the benchmark again"


class Environment(TypedDict):
    """The environment of a benchmark; see `kpdetect.training.run_folder.environment`."""

    time: str
    commit: str
    python: str
    packages: dict[str, str]
    hardware: dict[str, Any]


class MeasuredModel(TypedDict):
    """The measured model.

    Keys: `hash` and `description` of the weights, and `minutes` of training by stage. Predictions from a folder of
    `kpdetect predict` also have the hash of their `table`, and their `settings`.
    """

    hash: str
    description: NotRequired[dict[str, Any]]
    minutes: NotRequired[dict[str, float]]
    table: NotRequired[str]
    settings: NotRequired[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One benchmark of one model.

    Attributes:
        protocol: name of the protocol.
        metric: error measure of all rows, in words.
        thresholds: errors up to which a point counts as correct in the PCK columns (percentage of correct keypoints).
        protocol_source: source of the protocol.
        data: name of the data set; an incomplete data set has another name.
        data_folder: folder of the images, as the user wrote it.
        lists: hash of each list that defines the split.
        fitted, tested: numbers of fitting and of test images.
        notes: cautions for the reader.
        contamination: whether the model was trained on test images, in words.
        contaminated: True if the model was trained on test images; then its rows have a note.
        model: see `MeasuredModel`; None for the baselines alone.
        environment: commit, versions, hardware and time of the benchmark.
        seed: seed of the baselines and of the resampling.
        errors: hash of the table of errors.
        rows: all rows; those of the protocol's main regression (headline) come first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    protocol: str
    metric: str
    thresholds: tuple[str, ...]
    protocol_source: str
    data: str
    data_folder: str
    lists: dict[str, str]
    fitted: int
    tested: int
    notes: tuple[str, ...]
    contamination: str
    contaminated: bool
    model: MeasuredModel | None
    environment: Environment
    seed: int
    errors: str
    rows: tuple[Row, ...] = field(default=())

    @property
    def name(self) -> str:
        """File name without suffix."""
        return result_name(self.protocol, self.data, self.model)

    @property
    def key(self) -> str:
        """A text that distinguishes the model from other models of the same method."""
        return "_".join(_keys(self.model))

    @property
    def minutes(self) -> dict[str, float]:
        """Minutes of training by stage; empty if they are unknown."""
        return {} if self.model is None else self.model.get("minutes", {})

    @property
    def headline(self) -> tuple[Row, ...]:
        """The rows of the protocol's headline regression: the model, the floor, the baselines."""
        return tuple(row for row in self.rows if row.headline)

    def only_headline(self) -> Result:
        """Return the result with the rows of the protocol's main regression alone."""
        return replace(self, rows=self.headline)


def result_name(protocol: str, data: str, model: MeasuredModel | None) -> str:
    """Return the name of a result: the names of protocol and data, and the beginnings of the model's hashes."""
    return "_".join([protocol.replace("/", "-"), data.replace("/", "-"), *_keys(model)])


def _keys(model: MeasuredModel | None) -> list[str]:
    if model is None:
        return ["none"]
    return [model["hash"][:8], *([model["table"][:8]] if "table" in model else [])]


def errors_path(result: Path) -> Path:
    """Return the path of the table of errors of a result file."""
    return result.with_name(f"{result.stem}-errors.csv")


def write_result(result: Result, folder: Path) -> Path:
    """Write `folder/<name>.json`; the file appears only when it is complete.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / f"{result.name}.json"
    write_json(path, {"schema": SCHEMA, "version": VERSION, **asdict(result)})
    return path


def read_result(path: Path) -> Result:
    """Read a result file.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is not a result or of another version, or a field is missing, unknown or of another type. The
            message names the field.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise FormatError(f"{path}: not a benchmark result; expected the schema {SCHEMA}")
    if content.get("version") != VERSION:
        raise FormatError(f"{path}: result of version {content.get('version')}, expected {VERSION}; {AGAIN}")
    fields = {key: value for key, value in content.items() if key not in ("schema", "version")}
    try:
        return _CHECKED.validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FormatError(f"{path}: damaged result, field {where}: {first['msg'].lower()}; {AGAIN}") from error


def read_result_errors(path: Path, result: Result) -> ErrorTable:
    """Read the table of errors of a result file.

    Raises:
        InputError: the table is missing, or belongs to another result.
        FormatError: the table is damaged.
    """
    table = errors_path(path)
    if table.is_file() and file_hash(table) != result.errors:
        raise InputError(f"{table}: this is not the table of errors of {path.name}, or the file has changed; {AGAIN}")
    return read_errors(table)


_CHECKED = TypeAdapter(Result)
