"""From result files to a table in the format that was asked for; stale and contaminated results are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from benchmarks.evaluation.results import ErrorTable, Result, errors_path, read_result, read_result_errors
from benchmarks.tables.render import csv_text, latex, markdown, write_csv_table
from benchmarks.tables.table import Measurement, tables
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import write_text
from kpdetect.messages import log

Format = Literal["markdown", "latex", "csv"]
SUFFIXES: dict[str, Format] = {".md": "markdown", ".tex": "latex", ".csv": "csv"}
RESULTS = "*_*_*.json"


def make_table(
    paths: Sequence[Path],
    form: Format | None = None,
    out: Path | None = None,
    *,
    headline: bool = False,
    allow_contaminated: bool = False,
) -> str:
    """Several results as text, written to `out` where it is given.

    Args:
        paths: result files, or folders of them.
        form: the format; what the ending of `out` says unless given, else Markdown.
        out: file to write.
        headline: only the rows of each protocol's headline regression.
        allow_contaminated: take results of models that saw test images; their rows are marked.

    Raises:
        InputError: no results, a contaminated one that is not allowed, or an ending of `out` that names no format.
        FormatError: a file is no result, or one of an older version.
        OutputError: `out` cannot be written.
    """
    form = form or _format_of(out)
    found = read_measurements(paths, allow_contaminated=allow_contaminated)
    if headline:
        found = [each._replace(result=each.result.only_headline()) for each in found]
    if form == "csv":
        text = csv_text([each.result for each in found])
    else:
        text = (markdown if form == "markdown" else latex)(tables(found))
    if out is not None:
        write_text(out, text)
    return text


def _format_of(out: Path | None) -> Format:
    if out is None or not out.suffix:
        return "markdown"
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out}: expected .md, .tex or .csv; rename it, or give `format`")
    return SUFFIXES[out.suffix.lower()]


def read_measurements(paths: Sequence[Path], *, allow_contaminated: bool) -> list[Measurement]:
    """Results with their tables of errors, each file once.

    Raises:
        InputError: no results, a contaminated one that is not allowed, or errors that belong to another result.
        FormatError: a file is no result, or one of an older version.
    """
    files = list(dict.fromkeys(file.resolve() for path in paths for file in _files(path)))
    found = [(file, read_result(file)) for file in files]
    for file, result in found:
        if result.contaminated and not allow_contaminated:
            raise InputError(f"{file}: {result.contamination}: it measures memory; leave it out, or give `allow_contaminated`")
    return [Measurement(result, _errors(file, result), file.parent) for file, result in found]


def write_tables_of(folder: Path) -> None:
    """Write `table.md` and `table.csv` of all results of a folder; what an older version left there is named and left out.

    Raises:
        OutputError: the folder cannot be written.
    """
    found = []
    for path in sorted(folder.glob(RESULTS)):
        try:
            result = read_result(path)
            found.append(Measurement(result, _errors(path, result)))
        except (FormatError, InputError) as error:
            log.info(f"left out of the table: {error}")
    write_text(folder / "table.md", markdown(tables(found)))
    write_csv_table([each.result for each in found], folder / "table.csv")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(RESULTS))
    if not found:
        raise InputError(f"{path}: no benchmark result; run `kpdetect benchmark` with `out={path}`")
    return found


def _errors(path: Path, result: Result) -> ErrorTable | None:
    return read_result_errors(path, result) if errors_path(path).is_file() else None
