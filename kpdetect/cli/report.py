"""`kpdetect report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    project: Annotated[
        Path | None,
        typer.Argument(
            help="Project folder that `kpdetect run` wrote. Without it, the page shows only the benchmark results of --result."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="HTML file to write, or a folder for index.html. (default: PROJECT/report/index.html)"
        ),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--result",
            help="Benchmark result (a JSON file) to show, or a folder of them. Repeatable. "
            "(default: the results in PROJECT/results that belong to the project's detector)",
        ),
    ] = None,
    allow_contaminated: Annotated[
        bool,
        typer.Option(
            "--allow-contaminated", help="Also show results of models that were trained on test images, and mark them."
        ),
    ] = False,
) -> None:
    """Write one self-contained HTML page about a project, benchmark results, or both."""
    from benchmarks.reporting.report import write_report
    from benchmarks.studies.judging import describe_verdict

    path = write_report(project, out, results or None, allow_contaminated=allow_contaminated)
    if project is not None and (verdict := describe_verdict(project)):
        print(verdict)
    print(f"report: {path}")
