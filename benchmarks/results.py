"""The result file: what was measured, on what, by which code, with which model. JSON, schema `kpdetect-result`; every field is
checked when it is read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from benchmarks.error_table import ErrorTable, read_errors
from benchmarks.rows import Row
from kpdetect.errors import FormatError, InputError
from kpdetect.files import file_hash, read_json, write_json

SCHEMA, VERSION = "kpdetect-result", 3
AGAIN = "run the benchmark again"


class Environment(TypedDict):
    """What ran the benchmark; see `kpdetect.runlog.environment`."""

    time: str
    commit: str
    python: str
    packages: dict[str, str]
    hardware: dict[str, Any]


class Model(TypedDict):
    """What was measured.

    `hash` of the weights; their own `description`; `minutes` of training by stage; of a folder of `kpdetect predict`, the hash
    of its `table` and its `settings`.
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
        thresholds: errors of the PCK columns.
        protocol_source: where the protocol comes from.
        data: what the number may be called; the data set and its completeness.
        data_folder: folder of the images, as given.
        lists: hash of each list that defines the split.
        fitted, tested: numbers of images.
        notes: what a reader of the number has to know.
        contamination: whether the model saw test images.
        contaminated: True when it did: the rows of the model are marked then.
        model: see `Model`; None for the baselines alone.
        environment: commit, versions, hardware, time.
        seed: seed of the baselines and of the resampling.
        errors: hash of the table of errors beside the result.
        rows: all rows, headline first.
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
    model: Model | None
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
        """What tells its model from others of the same method."""
        return "_".join(_keys(self.model))

    @property
    def minutes(self) -> dict[str, float]:
        """Minutes that the model was trained, by stage; empty where that is not known."""
        return {} if self.model is None else self.model.get("minutes", {})

    @property
    def headline(self) -> tuple[Row, ...]:
        """The rows of the protocol's headline regression: the model, the floor, the baselines."""
        return tuple(row for row in self.rows if row.headline)

    def only_headline(self) -> Result:
        """The same without the other regressions."""
        return replace(self, rows=self.headline)


def result_name(protocol: str, data: str, model: Model | None) -> str:
    """Protocol, data, the beginning of the model's hash, and of its table's where a table was measured."""
    return "_".join([protocol.replace("/", "-"), data.replace("/", "-"), *_keys(model)])


def _keys(model: Model | None) -> list[str]:
    if model is None:
        return ["none"]
    return [model["hash"][:8], *([model["table"][:8]] if "table" in model else [])]


def errors_path(result: Path) -> Path:
    """Where the table of errors of a result file lies."""
    return result.with_name(f"{result.stem}-errors.csv")


def write_result(result: Result, folder: Path) -> Path:
    """Write `folder/<name>.json`; the file has its name only once it is complete.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / f"{result.name}.json"
    write_json(path, {"schema": SCHEMA, "version": VERSION, **asdict(result)})
    return path


def read_result(path: Path) -> Result:
    """Read what `write_result` wrote.

    Raises:
        InputError: no such file.
        FormatError: not a result, of another version, or with a field that is missing, unknown or of another type: named.
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
    """The table of errors beside a result file.

    Raises:
        InputError: it is missing, or is not the one of this result.
        FormatError: it is damaged.
    """
    table = errors_path(path)
    if table.is_file() and file_hash(table) != result.errors:
        raise InputError(f"{table}: not the errors of {path.name}, or changed since; {AGAIN}")
    return read_errors(table)


_CHECKED = TypeAdapter(Result)
