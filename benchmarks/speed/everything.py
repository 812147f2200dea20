"""Everything in one table: `python -m benchmarks.speed all --out speed.json --compare OLD.json`.

Each row compares two things that take turns in this run, so that its ratio hardly depends on the machine's other work. A
ratio that has fallen by more than the tolerance since an earlier table means slower code: the rows are named, exit code 1.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.speed.contest import Row, Setting, row_of
from benchmarks.speed.generator import speed_markdown
from benchmarks.speed.timing import Report
from kpdetect.errors import InputError
from kpdetect.files.atomic import read_json, write_text
from kpdetect.files.records import Record, checked
from kpdetect.training.run_folder import environment, hardware_line
from kpdetect.training.runtime import resolve_runtime

SOURCES = ("benchmarks.speed.trainings", "benchmarks.speed.stages")
"""Modules with a function `contests(setting)`; a new kind of row is a new module here, or another contest of one of these."""
TOLERANCE = 0.15
"""Share by which a ratio may fall. Two runs of the same code differ by up to a tenth on a busy machine."""


class SpeedTable(Record):
    """A saved table."""

    quick: bool
    """Whether it was made with `--quick`."""
    rows: tuple[Row, ...]
    """Its rows."""
    environment: dict[str, Any]
    """Commit, versions and hardware."""

    @property
    def on_gpu(self) -> bool:
        """Whether the work was done on a GPU, where processor time says nothing."""
        return bool(self.environment.get("hardware", {}).get("accelerator"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this part."""
    parser.add_argument("--quick", action="store_true", help="small networks and few turns: a few minutes")
    parser.add_argument("--compare", type=Path, metavar="OLD", help="JSON file of an earlier run on such a machine")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="share by which a ratio may fall (%(default)s)")
    parser.add_argument("--device", default="auto")


def run(given: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report the table and what is slower than in the earlier one; returns both JSON-ready.

    Raises:
        InputError: the tolerance is no share, or there is no earlier table.
        FormatError: the earlier table is damaged.
    """
    if not 0 < given.tolerance < 1:
        raise InputError(f"--tolerance {given.tolerance}: expected a number between 0 and 1")
    old = None if given.compare is None else checked(SpeedTable, read_json(given.compare), given.compare)
    if old is not None and old.quick != given.quick:
        raise InputError(f"{given.compare}: was made with{'' if old.quick else 'out'} --quick; compare equal tables")
    setting = Setting(runtime=resolve_runtime(given.device), quick=given.quick)
    rows = []
    for row in measured_rows(setting):
        rows.append(row)
        report(f"{row.name}: {row.per_second:,.1f} {row.unit} a second, {row.ratio:.3f} of {row.base}")
    table = SpeedTable(quick=given.quick, rows=tuple(rows), environment=environment())
    report("\n" + table_markdown(table))
    slower = [] if old is None else slower_rows(old, table, given.tolerance)
    for line in slower:
        report(f"slower: {line}")
    if given.out is not None:
        write_text(given.out.with_suffix(".md"), table_markdown(table) + "\n")
        write_text(given.out.with_suffix(".csv"), table_csv(table))
    return {**table.model_dump(mode="json"), "slower": slower}


def measured_rows(setting: Setting) -> Iterator[Row]:
    """The rows of all sources, measured one after the other."""
    for source in SOURCES:
        for contest in import_module(source).contests(setting):
            yield row_of(contest, setting)


def slower_rows(old: SpeedTable, new: SpeedTable, tolerance: float) -> list[str]:
    """A line for each row whose ratio has fallen by more than a tolerance, by processor time or on a GPU by the clock; and for
    each row that is not there any more."""
    by_clock = old.on_gpu or new.on_gpu
    now = {row.name: row for row in new.rows}
    lines = []
    for row in old.rows:
        if row.name not in now:
            lines.append(f"{row.name}: is not in the new table")
            continue
        before, after = (each.ratio if by_clock else each.processor_ratio for each in (row, now[row.name]))
        if after < (1 - tolerance) * before:
            lines.append(f"{row.name}: {after:.3f} of {row.base}, {before:.3f} before")
    return lines


def table_markdown(table: SpeedTable) -> str:
    """The table with its machine, in Markdown."""
    facts = table.environment
    machine = f"{hardware_line(facts.get('hardware', {}))}, commit {facts.get('commit', 'unknown')}"
    rows = [
        {
            "what": row.name,
            "per second": f"{row.per_second:,.1f} {row.unit}",
            "compared with": row.base,
            "ratio": f"{row.ratio:.3f}",
            "by processor time": f"{row.processor_ratio:.3f}",
        }
        for row in table.rows
    ]
    return f"{machine}{', quick' if table.quick else ''}\n\n{speed_markdown(rows)}"


def table_csv(table: SpeedTable) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Row.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in table.rows)
    return text.getvalue()
