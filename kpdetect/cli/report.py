"""`kpdetect report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    project: Annotated[
        Path | None, typer.Argument(help="A project folder made by `kpdetect run`; not needed for a page about results alone.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page to write; PROJECT/report/index.html unless given.")
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--result",
            help="A benchmark result (JSON), or a folder of them, to show; repeatable. Those in PROJECT/results that the "
            "project's weights made unless given.",
        ),
    ] = None,
    allow_contaminated: Annotated[
        bool, typer.Option("--allow-contaminated", help="Show results of models that saw test images; they are marked.")
    ] = False,
) -> None:
    """Write one self-contained HTML page about a project, benchmark results, or both."""
    from benchmarks.reporting.report import write_report
    from benchmarks.studies.judging import describe_verdict
    from kpdetect.errors import InputError

    if project is None and (out is None or not results):
        raise InputError("report: give a project folder, or --result and --out")
    target = out or (project or Path()) / "report" / "index.html"
    path = write_report(project, target, results or None, allow_contaminated=allow_contaminated)
    if project is not None and (verdict := describe_verdict(project)):
        print(verdict)
    print(f"report: {path}")
