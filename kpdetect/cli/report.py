"""`kpdetect report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli.upper import upper


def command(
    project: Annotated[Path, typer.Argument(help="A project folder made by `kpdetect run`.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page to write; PROJECT/report/index.html unless given.")
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option("--result", help="A benchmark result (JSON) to show; repeatable. PROJECT/results/*.json unless given."),
    ] = None,
) -> None:
    """Write one self-contained HTML page about a project."""
    target = out or project / "report" / "index.html"
    upper("write_report")(project, target, results or sorted((project / "results").glob("*.json")))
    print(f"report: {target}")
