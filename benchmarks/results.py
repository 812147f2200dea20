"""The result file: what was measured, on what, by which code, with which model. JSON, schema `kpdetect-result`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.evaluate import Row
from kpdetect.errors import FormatError
from kpdetect.files import read_json, write_json

SCHEMA, VERSION = "kpdetect-result", 2


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
        model: what the model is: hash of the weights, their own description, minutes trained where known.
        environment: commit, versions, hardware, time.
        seed: seed of the baselines.
        rows: all rows, headline first.
    """

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
    model: dict[str, Any]
    environment: dict[str, Any]
    seed: int
    rows: tuple[Row, ...] = field(default=())

    @property
    def name(self) -> str:
        """File name without suffix: protocol, data and the model's hash."""
        return f"{self.protocol}_{self.data}_{str(self.model.get('hash', 'none'))[:8]}"

    @property
    def headline(self) -> tuple[Row, ...]:
        """The rows of the protocol's headline regression: the model, the floor, the baselines."""
        return tuple(row for row in self.rows if row.headline)


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
        FormatError: not a result, of another version, or with missing or unknown fields.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise FormatError(f"{path}: not a benchmark result; expected the schema {SCHEMA}")
    if content.get("version") != VERSION:
        raise FormatError(f"{path}: result of version {content.get('version')}, expected {VERSION}; run the benchmark again")
    fields = {key: value for key, value in content.items() if key not in ("schema", "version")}
    try:
        rows = tuple(Row(**{**row, "interval95": tuple(row["interval95"])}) for row in fields.pop("rows"))
        texts = {name: tuple(fields[name]) for name in ("notes", "thresholds")}
        return Result(**{**fields, **texts, "rows": rows})
    except (TypeError, KeyError, AttributeError) as error:
        raise FormatError(f"{path}: damaged result ({error}); run the benchmark again") from error
