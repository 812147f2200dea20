"""A table of ablations as Markdown for readers, as CSV for computations, and as JSON with all details."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.ablations.config import MEASURED, AblationConfig, cell_folder
from benchmarks.ablations.tables import AblationEntry, AblationTable
from benchmarks.measurement_records import ABLATION, CellRecord
from benchmarks.protocol.named import find_protocol
from kpdetect.files.atomic import read_json, replacing, write_json, write_text
from kpdetect.files.records import checked
from kpdetect.files.tables import without_formulas
from kpdetect.markdown import markdown_table
from kpdetect.training.run_folder import environment

VERSION = 1
Measured = dict[str, dict[str, Any]]
"""The measurements of each finished cell, by its name."""


def write_ablation(table: AblationTable, out: Path, config: AblationConfig, failed: dict[str, str]) -> Path:
    """Write the table of the finished cells, and return the path of the Markdown file.

    Raises:
        OutputError: `out` cannot be written.
    """
    import pandas as pd

    measured = read_cells(table, out)
    lines = [as_row(entry, measured, failed) for entry in table.entries]
    path = out / f"{table.name}.md"
    write_text(path, ablation_markdown(table, config, measured, failed))
    content = {"schema": ABLATION, "version": VERSION, "table": table.name, "title": table.title, "source": table.source}
    content |= {"config": config.model_dump(mode="json"), "cells": measured, "failed": failed, "entries": lines}
    write_json(path.with_suffix(".json"), content | {"environment": environment()})
    with replacing(path.with_suffix(".csv")) as temporary:
        without_formulas(pd.DataFrame(lines)).to_csv(temporary, index=False)
    return path


def read_cells(table: AblationTable, out: Path) -> Measured:
    """Read the finished cells of a table."""
    paths = {cell.name: cell_folder(out, cell.name) / MEASURED for cell in table.cells}
    measured = {name: (path, read_json(path)) for name, path in paths.items() if path.exists()}
    for path, content in measured.values():
        checked(CellRecord, content, path)
    return {name: content for name, (_, content) in measured.items()}


def as_row(entry: AblationEntry, measured: Measured, failed: dict[str, str]) -> dict[str, Any]:
    """Describe an entry and the source of its values, for the CSV."""
    name = entry.cell.name if entry.cell else ""
    known = measured.get(name, {})
    row: dict[str, Any] = {"row": entry.row, "column": entry.column, "measure": entry.measure, "cell": name}
    row |= {"ours": value_of(entry, measured), "published": entry.published}
    if entry.measure == "error" and known:
        low, high = known.get("error_interval") or (None, None)
        row |= {"low": low, "high": high, "spread": known.get("error_spread"), "with_bias": known.get("error_with_bias")}
        row["floor"] = known.get("error_floor")
    if known:
        row |= {"images_seen": known["images_seen"], "generator_minutes": known["generator_minutes"]}
        row |= {"generator": known["generator"], "commit": known["environment"]["commit"]}
    return row | {"failed": failed.get(name, "")}


def value_of(entry: AblationEntry, measured: Measured) -> float | str | None:
    """Return our measured value of an entry; None if it has not been measured."""
    known = measured.get(entry.cell.name, {}) if entry.cell else {}
    value = known.get(entry.measure)
    return value["verdict"] if isinstance(value, dict) else value


def ablation_markdown(table: AblationTable, config: AblationConfig, measured: Measured, failed: dict[str, str]) -> str:
    """Format the table with published numbers in brackets, after notes for the reader."""
    rows, columns = (list(dict.fromkeys(getattr(entry, axis) for entry in table.entries)) for axis in ("row", "column"))
    cells = {(entry.row, entry.column): _cell(entry, measured, failed) for entry in table.entries}
    title = f"### {table.title} (the paper's {table.name.replace('table', 'table ')})"
    header = [table.corner, *(_heading(column, config) for column in columns)]
    body = markdown_table(header, [[row, *(cells.get((row, column), "") for column in columns)] for row in rows])
    return "\n".join([title, "", *_notes(table, config, measured), "", body]) + "\n"


def _notes(table: AblationTable, config: AblationConfig, measured: Measured) -> list[str]:
    measures = {entry.measure for entry in table.entries}
    pieces = [
        f"- at most {config.minutes_each:g} training minutes each, preset {config.preset}, {config.size} px, seed {config.seed}"
    ]
    if "error" in measures:
        where = next((known["measured_on"] for known in measured.values() if "measured_on" in known), "not measured yet")
        floors = [known["error_floor"] for known in measured.values() if known.get("error_floor") is not None]
        floor = f"; floor (mean shape): {floors[0]:.2f}" if floors else ""
        pieces.append(f"- error: {find_protocol(config.protocol).metric} ({config.protocol}), {where}{floor}")
    if "distance" in measures:
        named = config.features in ("imagenet", "random")
        kind = f"Frechet distance in the features `{config.features}`" if named else "FID (Inception, torch-fidelity)"
        pieces.append(f"- distance: {kind}, {config.count:,} generated images")
    if "control" in measures:
        pieces.append(
            "- control: see `kpdetect controllability`; good, inferior, entangled or trivial (background decides all)"
        )
    pieces.append(f"- [in brackets]: published, He, Wandt, Rhodin 2021, {table.source}; **not comparable** with other data")
    return pieces


def _heading(column: str, config: AblationConfig) -> str:
    in_pixels = find_protocol(config.protocol).unit == "pixel"
    return "error %" if column == "error" and not in_pixels else column


def _cell(entry: AblationEntry, measured: Measured, failed: dict[str, str]) -> str:
    value = value_of(entry, measured)
    if value is None:
        ours = "failed" if entry.cell and entry.cell.name in failed else "-" if entry.cell else ""
    else:
        ours = value if isinstance(value, str) else f"{value:.2f}"
    return f"{ours} {_published(entry.published)}".strip()


def _published(value: float | str | None) -> str:
    return "" if value is None else f"[{value if isinstance(value, str) else f'{value:.2f}'}]"
