"""Published numbers (`baselines.toml`): numbers from the literature that we did not measure, with citation, table and row."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

SCHEMA, VERSION = "kpdetect-published", 2


@dataclass(frozen=True, kw_only=True)
class Published:
    """A number from the literature; lower is better.

    Attributes:
        method: name of the method.
        column: key of the measure, for example `aligned_k10`.
        measures: the measure in words.
        value: the number.
        unit: `%` of the inter-ocular distance, or `FID`.
        citation: authors, title and year of the paper.
        place: the table, or another place in the paper.
        row: label of the row in that table.
        secondary: whether the number comes from a secondary source and was not checked against the paper.
    """

    method: str
    column: str
    measures: str
    value: float
    unit: str
    citation: str
    place: str
    row: str
    secondary: bool

    @property
    def source(self) -> str:
        """The source of the number, as tables show it."""
        checked = ", not checked against the paper" if self.secondary else ""
        return f"published: {self.citation}; {self.place}{checked}; row '{self.row}'; {self.measures}"


def read_published(columns: Sequence[str]) -> list[Published]:
    """Return the numbers of some columns, for example `aligned_k10`, in the order of the file."""
    return [number for column in columns for number in _numbers() if number.column == column]


def published_table(place: str) -> list[Published]:
    """Return the numbers of one table, for example `table 7`."""
    return [number for number in _numbers() if number.place == place]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Column(_Strict):
    measures: str
    unit: str


class _Line(_Strict):
    method: str
    row: str
    values: dict[str, float]
    citation: str = ""


class _Table(_Strict):
    place: str
    secondary: bool
    rows: list[_Line]
    columns: dict[str, _Column]
    citation: str = ""


class _File(_Strict):
    schema_name: str
    version: int
    tables: list[_Table]


@cache
def _numbers() -> tuple[Published, ...]:
    content = tomllib.loads(resources.files("benchmarks.tables").joinpath("baselines.toml").read_text(encoding="utf-8"))
    file = _File(schema_name=content.pop("schema"), **content)
    assert (file.schema_name, file.version) == (SCHEMA, VERSION), "baselines.toml"
    return tuple(number for table in file.tables for number in _of_table(table))


def _of_table(table: _Table) -> Iterator[Published]:
    for line in table.rows:
        for column, value in line.values.items():
            yield Published(
                method=line.method,
                column=column,
                measures=table.columns[column].measures,
                value=value,
                unit=table.columns[column].unit,
                citation=line.citation or table.citation,
                place=table.place,
                row=line.row,
                secondary=table.secondary,
            )
