"""Tables from result files, in a chosen format; outdated and contaminated results are refused."""

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
    """Render several results as one text, and write the text to `out` if it is set.

    Args:
        paths: result files, or folders of result files.
        form: the format; by default the ending of `out` decides, and Markdown is used without `out`.
        out: file to write; None to only return the text.
        headline: whether to show only the rows of each protocol's main regression.
        allow_contaminated: whether to accept results of models that were trained on test images; their rows have a note.

    Returns:
        The text.

    Raises:
        InputError: there are no results, a result is contaminated and not allowed, or the ending of `out` names no format.
        FormatError: a file is not a result, or a result of another version.
        OutputError: `out` cannot be written.
    """
    form = form or _format_of(out)
    measurements = read_measurements(paths, allow_contaminated=allow_contaminated)
    if headline:
        measurements = [measured._replace(result=measured.result.only_headline()) for measured in measurements]
    if form == "csv":
        text = csv_text([measured.result for measured in measurements])
    else:
        text = (markdown if form == "markdown" else latex)(tables(measurements))
    if out is not None:
        write_text(out, text)
    return text


def _format_of(out: Path | None) -> Format:
    if out is None or not out.suffix:
        return "markdown"
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out}: unknown ending; expected .md, .tex or .csv: choose one of these, or give `format`")
    return SUFFIXES[out.suffix.lower()]


def read_measurements(paths: Sequence[Path], *, allow_contaminated: bool) -> list[Measurement]:
    """Read results with their tables of errors, each file once.

    Raises:
        InputError: there are no results, a result is contaminated and not allowed, or a table of errors belongs to another
            result.
        FormatError: a file is not a result, or a result of another version.
    """
    files = list(dict.fromkeys(file.resolve() for path in paths for file in _files(path)))
    results = [(file, read_result(file)) for file in files]
    for file, result in results:
        if result.contaminated and not allow_contaminated:
            advice = "leave this result out, or give `allow_contaminated`"
            raise InputError(f"{file}: {result.contamination}: the model was trained on test images; {advice}")
    return [Measurement(result, _errors(file, result), file.parent) for file, result in results]


def write_tables_of(folder: Path) -> None:
    """Write `table.md` and `table.csv` with all results of a folder; leave unreadable results out and log their names.

    Raises:
        OutputError: the folder cannot be written.
    """
    measurements = []
    for path in sorted(folder.glob(RESULTS)):
        try:
            result = read_result(path)
            measurements.append(Measurement(result, _errors(path, result)))
        except (FormatError, InputError) as error:
            log.info(f"left out of the table: {error}")
    write_text(folder / "table.md", markdown(tables(measurements)))
    write_csv_table([measured.result for measured in measurements], folder / "table.csv")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob(RESULTS))
    if not files:
        raise InputError(f"{path}: no benchmark results in this folder; run `kpdetect benchmark` with `out={path}`")
    return files


def _errors(path: Path, result: Result) -> ErrorTable | None:
    return read_result_errors(path, result) if errors_path(path).is_file() else None
