"""`kpdetect report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    project: Annotated[
        Path | None, typer.Argument(help="Project folder of `kpdetect run`. Leave it out for a page about results alone.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML file to write. (default: PROJECT/report/index.html)")
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--result",
            help="Benchmark result (JSON) or folder of results to show; repeatable. "
            "(default: results of the project's weights in PROJECT/results)",
        ),
    ] = None,
    allow_contaminated: Annotated[
        bool,
        typer.Option(
            "--allow-contaminated", help="Also show results of models that were trained on test images. They are marked."
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
