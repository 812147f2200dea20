"""All speeds in one table: `python -m benchmarks.speed all --out speed.json --compare OLD.json`.

Each row compares two computations that take turns, so that its ratio hardly depends on the machine's other work. If a ratio
has fallen by more than the tolerance since an earlier table, the code is slower. The command then names these rows and returns
exit code 1.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.speed.generator import speed_markdown
from benchmarks.speed.paired_timing import Row, Setting, row_of
from benchmarks.speed.predict_stages import stage_rows
from benchmarks.speed.timing import Report
from kpdetect.errors import InputError
from kpdetect.files.atomic import read_json, write_text
from kpdetect.files.records import Record, checked
from kpdetect.training.run_folder import environment, hardware_line
from kpdetect.training.runtime import resolve_runtime

SOURCES = ("benchmarks.speed.trainings", "benchmarks.speed.stages", "benchmarks.speed.prediction", "benchmarks.speed.start_up")
"""Modules with a function `contests(setting)`. To add a row, add a contest to one of them, or a module to this list."""
BEGIN, END = "<!-- begin: python -m benchmarks.speed all -->", "<!-- end: python -m benchmarks.speed all -->"
"""Lines of a page between which `--write` puts the tables."""
TOLERANCE = 0.15
"""Share by which a ratio may fall. On a busy machine, two runs of the same code differ by up to a tenth."""


STAGES = "Seconds of processor time of `predict` for 1,000 images with `faces-128`, by stage:"
NO_GPU = "There was no GPU in this machine, so these rows are empty:"


class SpeedTable(Record):
    """A speed table in a file."""

    quick: bool
    """Whether the table was measured with `--quick`."""
    rows: tuple[Row, ...]
    """The rows of the table."""
    environment: dict[str, Any]
    """Commit, versions and hardware."""

    @property
    def on_gpu(self) -> bool:
        """Whether the table was measured on a GPU, where processor time is meaningless."""
        return bool(self.environment.get("hardware", {}).get("accelerator"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("--quick", action="store_true", help="small networks and few turns: a minute or two")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="Markdown page that gets the tables, such as docs/speed.md")
    parser.add_argument("--compare", type=Path, metavar="OLD", help="JSON file of an earlier run on such a machine")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="share by which a ratio may fall (%(default)s)")
    parser.add_argument("--device", default="auto")


def run(options: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report the table and the rows that are slower than in the earlier table, and return both JSON-ready.

    Raises:
        InputError: the tolerance is not a share from 0 to 1, the earlier table does not exist, or the page of `--write` has no
            place for the tables.
        FormatError: the earlier table is damaged.
    """
    if not 0 < options.tolerance < 1:
        raise InputError(f"--tolerance {options.tolerance}: expected a number between 0 and 1")
    old = None if options.compare is None else checked(SpeedTable, read_json(options.compare), options.compare)
    if old is not None and old.quick != options.quick:
        fault = f"this table was measured with{'' if old.quick else 'out'} --quick"
        raise InputError(f"{options.compare}: {fault}; compare two tables with the same setting")
    if options.write is not None:
        with_tables(options.write, "")
    setting = Setting(runtime=resolve_runtime(options.device), quick=options.quick)
    rows = []
    for row in measured_rows(setting):
        rows.append(row)
        report(f"{row.name}: {row.per_second:,.1f} {row.unit} a second, {row.ratio:.3f} of {row.base}")
    table = SpeedTable(quick=options.quick, rows=tuple(rows), environment=environment())
    stages = stage_rows(share=0.05 if options.quick else 1.0)
    page = f"{table_markdown(table)}\n\n{STAGES}\n\n{speed_markdown(stages)}\n\n{gpu_markdown(table)}"
    report("\n" + page)
    slower = [] if old is None else slower_rows(old, table, options.tolerance)
    for line in slower:
        report(f"slower: {line}")
    if options.out is not None:
        write_text(options.out.with_suffix(".md"), page + "\n")
        write_text(options.out.with_suffix(".csv"), table_csv(table))
    if options.write is not None:
        write_text(options.write, with_tables(options.write, page))
    return {**table.model_dump(mode="json"), "stages": stages, "slower": slower}


def with_tables(path: Path, tables: str, first: str = BEGIN, last: str = END) -> str:
    """Return the text of a page with new tables between the lines `first` and `last`.

    Raises:
        InputError: the page is missing or lacks these lines.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise InputError(f"--write {path}: expected a page with the lines {first} and {last}")
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


def gpu_markdown(table: SpeedTable) -> str:
    """List the rows of the table that a GPU would have. Without a GPU they are empty."""
    if table.on_gpu:
        return "These rows were measured on a GPU."
    return f"{NO_GPU}\n\n" + speed_markdown([{"what": f"{row.name}, on a GPU", "per second": ""} for row in table.rows])


def measured_rows(setting: Setting) -> Iterator[Row]:
    """Measure the rows of all modules of `SOURCES`, one after the other."""
    for source in SOURCES:
        for contest in import_module(source).contests(setting):
            yield row_of(contest, setting)


def slower_rows(old: SpeedTable, new: SpeedTable, tolerance: float) -> list[str]:
    """Describe each row whose ratio has fallen by more than the tolerance, and each row that the new table lacks.

    The ratio is by processor time; on a GPU it is by the clock.
    """
    by_clock = old.on_gpu or new.on_gpu
    now = {row.name: row for row in new.rows}
    lines = []
    for row in old.rows:
        if row.name not in now:
            lines.append(f"{row.name}: the new table lacks this row")
            continue
        before, after = (line.ratio if by_clock else line.processor_ratio for line in (row, now[row.name]))
        if after < (1 - tolerance) * before:
            lines.append(f"{row.name}: {after:.3f} of {row.base}, {before:.3f} before")
    return lines


def table_markdown(table: SpeedTable) -> str:
    """Render the table in Markdown, with its machine and commit."""
    measured_on = table.environment
    machine = f"{hardware_line(measured_on.get('hardware', {}))}, commit {measured_on.get('commit', 'unknown')}"
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
    """Render the rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Row.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in table.rows)
    return text.getvalue()
