"""Records of the files with measured numbers, except results, and the schema names in these files.

Keys that a newer version adds are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from kpdetect.files.records import Count, Record

ABLATION = "kpdetect-ablation"
ABLATION_CELL = "kpdetect-ablation-cell"
CHOSEN = "kpdetect-chosen"
CONTROL = "kpdetect-control"
EMBEDDINGS = "kpdetect-embeddings"
MEASURED = "kpdetect-measured"
NEAREST = "kpdetect-nearest"
VERDICT = "kpdetect-verdict-3"
EARLIER_VERDICTS = ("kpdetect-verdict", "kpdetect-verdict-2")
"""Schemas that an earlier version wrote."""


Share = Annotated[float, Field(ge=0, le=1)]


class EnvironmentRecord(Record):
    """Time and commit of a measurement."""

    time: str
    commit: str


class MeasurementRecord(Record):
    """The fields that all files share."""

    environment: EnvironmentRecord


class SettingRecord(Record):
    """Settings of an ablation."""

    images: str
    test: bool = False
    data: str | None = None
    protocol: str | None = None
    minutes_each: float
    preset: str
    size: Count
    seed: int


class EntryRecord(Record):
    """One number of an ablation's table."""

    row: str
    column: str
    measure: str
    cell: str
    ours: float | str | None = None
    published: float | str | None = None


class AblationRecord(MeasurementRecord):
    """A table of an ablation."""

    table: str
    title: str
    source: str
    config: SettingRecord
    cells: dict[str, dict[str, Any]]
    failed: dict[str, str]
    entries: tuple[EntryRecord, ...]


class VerdictRecord(Record):
    """The verdict of `control.json` in a word."""

    verdict: str


class CellRecord(MeasurementRecord):
    """`measured.json` of one cell of an ablation."""

    images_seen: Count
    generator_minutes: float | None = None
    distance: float | None = None
    error: float | None = None
    error_floor: float | None = None
    error_interval: tuple[float, ...] | None = None
    measured_on: str | None = None
    control: VerdictRecord | None = None
    generator: str
    detector: str | None = None


class MeasuredRow(Record):
    """One measure of a model."""

    name: str
    value: float
    floor: float | None = None


class MeasuredRecord(MeasurementRecord):
    """`measured.json` of a model."""

    model: str
    images: str
    seed: int
    rows: tuple[MeasuredRow, ...]


class NearestRecord(MeasurementRecord):
    """`nearest.json`."""

    model: str
    images: Count
    seed: int
    training_images: Count
    folder: str
    closer: Share
    generator: str


class ControlRecord(MeasurementRecord):
    """`control.json`."""

    model: str
    verdict: str
    pairs: Count
    seed: int
    strength: tuple[float, float, float]
    motion: tuple[float, float]
    overlap: float
    generator: str


class EmbeddingsRecord(MeasurementRecord):
    """`embeddings.json`."""

    model: str
    images: Count
    seed: int
    explained: float
    separable: float | None = None
    separable_floor: float | None = None
    generator: str


RECORDS: dict[str, type[MeasurementRecord]] = {
    ABLATION: AblationRecord,
    ABLATION_CELL: CellRecord,
    MEASURED: MeasuredRecord,
    NEAREST: NearestRecord,
    CONTROL: ControlRecord,
    EMBEDDINGS: EmbeddingsRecord,
}
