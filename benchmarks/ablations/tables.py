"""The ablation tables of the LatentKeypointGAN paper (He et al. 2021): rows, columns, trainings and published numbers.

Rows and columns are in the paper's order.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, get_args

from benchmarks.ablations.config import AblationConfig
from benchmarks.datasets.own_table import TABLE
from benchmarks.protocol.named import find_protocol
from benchmarks.tables.published import published_table, read_published
from generator.architectures import ABLATIONS, LADDER
from kpdetect.errors import InputError

TableName = Literal["table2", "table3", "table6", "table7", "table8", "table9"]
TABLES: tuple[str, ...] = get_args(TableName)
Measure = Literal["error", "distance", "control"]
LADDER_PUBLISHED = {
    "tuned": "LatentKeypointGAN, tuned",
    "no-start32": "LatentKeypointGAN, without larger start",
    "no-background": "LatentKeypointGAN, also without background",
    "no-positional": "LatentKeypointGAN, also without positional start",
    "no-margin": "LatentKeypointGAN, also without margin",
}
"""For each of our names of the models, the method's name in table 3."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: one training.

    Attributes:
        name: name of the cell's folder.
        model: architecture of the generator.
        overrides: settings of this cell alone, as texts KEY=VALUE of `kpdetect run --set`.
        keypoints: number of keypoints; 0 for `AblationConfig.keypoints`.
        located: whether the model has keypoints with positions; otherwise no detector is trained.
    """

    name: str
    model: str
    overrides: tuple[str, ...] = ()
    keypoints: int = 0
    located: bool = True


@dataclass(frozen=True, kw_only=True)
class AblationEntry:
    """One number of a table: its row and column, its training (cell), its measure, and the published number."""

    row: str
    column: str
    measure: Measure
    cell: Cell | None
    published: float | str | None


@dataclass(frozen=True, kw_only=True)
class AblationTable:
    """A table of the paper; `source` names the data set of its published numbers."""

    name: str
    title: str
    source: str
    corner: str
    entries: tuple[AblationEntry, ...]

    @property
    def cells(self) -> list[Cell]:
        """The cells in the order of the table."""
        return list(dict.fromkeys(entry.cell for entry in self.entries if entry.cell is not None))


def _ablation(method: str) -> tuple[str, Cell]:
    changes = tuple(f"generator.{change}" for change in ABLATIONS.get(method, ()))
    return method, Cell(name=method.replace(" ", "-"), model="base", overrides=changes, located=method != "without keypoints")


def _embedding(method: str) -> tuple[str, Cell]:
    width = method.rpartition(" ")[2]
    return width, Cell(name=f"embedding-{width}", model="base", overrides=(f"generator.model.embedding_width={width}",))


_VARIANTS = {"table2": _ablation, "table6": _embedding}
"""For each of these tables, a function from a published method to the label of its row and its cell."""


def build_table(name: str, config: AblationConfig) -> AblationTable:
    """Build a table for the data of `config`.

    Raises:
        InputError: the table or protocol is unknown, or the table needs annotated data and `config` has none.
    """
    if name not in TABLES:
        raise InputError(f"ablate {name}: expected one of {', '.join(TABLES)}")
    if config.protocol.startswith(TABLE):
        raise InputError(f"`protocol={config.protocol}`: ablations need a named protocol; see `kpdetect benchmark list`")
    protocol = find_protocol(config.protocol)
    if name in ("table8", "table9") and not config.data:
        raise InputError(f"ablate {name}: this table measures detectors; give the annotated data set with `data`")
    content = tomllib.loads(resources.files("benchmarks.ablations").joinpath("ablations.toml").read_text(encoding="utf-8"))
    section = content[name]
    entries: Iterable[AblationEntry]
    if name == "table3":
        entries = _ladder([column for column in protocol.published if column.endswith(f"_k{config.keypoints}")])
    elif name in _VARIANTS:
        entries = _variants(name)
    else:
        entries = _grid(content["grid"], section.get("verdicts") or _published_grid(name), section["measure"])
    if not config.data:
        entries = (entry for entry in entries if entry.measure == "distance")
    return AblationTable(
        name=name, title=section["title"], source=section["source"], corner=section["corner"], entries=tuple(entries)
    )


def _variants(name: str) -> Iterator[AblationEntry]:
    """Yield the entries of table 2 or 6, which have one variant of the base model per row."""
    methods = dict.fromkeys(number.method for number in published_table(_place(name)))
    for method in methods:
        values = {number.unit: number.value for number in published_table(_place(name)) if number.method == method}
        row, cell = _VARIANTS[name](method)
        yield from _both(row, cell, values.get("%"), values.get("FID"))


def _ladder(columns: list[str]) -> Iterator[AblationEntry]:
    """Yield the entries of table 3: other methods, then the models from tuned to base, each without one more component."""
    published = {number.method: number.value for number in published_table("table 3") if number.column in columns}
    for method, percent in published.items():
        if method not in LADDER_PUBLISHED.values():
            yield AblationEntry(row=method, column="error", measure="error", cell=None, published=percent)
    distances = {number.method: number.value for number in read_published(["celeba_fid"])} if columns else {}
    for model in LADDER:
        label = LADDER_PUBLISHED[model]
        yield from _both(model, Cell(name=model, model=model), published.get(label), distances.get(label))


def _grid(grid: dict[str, list[Any]], published: list[list[Any]], measure: Measure) -> Iterator[AblationEntry]:
    """Yield the entries of table 7, 8 or 9, which share one grid of trainings."""
    for tau, numbers in zip(grid["tau"], published, strict=True):
        for keypoints, number in zip(grid["keypoints"], numbers, strict=True):
            cell = Cell(
                name=f"k{keypoints:02d}-tau{tau}",
                model="base",
                overrides=(f"generator.model.tau={tau}",),
                keypoints=keypoints,
            )
            yield AblationEntry(row=str(tau), column=f"K = {keypoints}", measure=measure, cell=cell, published=number)


def _published_grid(name: str) -> list[list[float]]:
    """Return the rows of a published grid in the order of the file."""
    rows: dict[str, list[float]] = {}
    for number in published_table(_place(name)):
        rows.setdefault(number.method, []).append(number.value)
    return list(rows.values())


def _place(name: str) -> str:
    return name.replace("table", "table ")


def _both(row: str, cell: Cell, error: float | None, distance: float | None) -> Iterator[AblationEntry]:
    yield AblationEntry(row=row, column="error", measure="error", cell=cell, published=error)
    yield AblationEntry(row=row, column="distance", measure="distance", cell=cell, published=distance)
