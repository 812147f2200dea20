"""`kpdetect table`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Format(str, Enum):
    """Formats of tables."""

    markdown = "markdown"
    latex = "latex"
    csv = "csv"


def command(
    results: Annotated[list[Path], typer.Argument(help="JSON files that `kpdetect benchmark` wrote, or folders of them.")],
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the table. (default: chosen by the ending of --out, or markdown)"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="File to write (.md, .tex or .csv). (default: print the table)"),
    ] = None,
    headline: Annotated[
        bool,
        typer.Option(
            "--headline",
            help="For each protocol, show only the regression from keypoints to landmarks that published papers report.",
        ),
    ] = False,
    allow_contaminated: Annotated[
        bool,
        typer.Option("--allow-contaminated", help="Also show models that were trained on test images, and mark their rows."),
    ] = False,
) -> None:
    """Put several benchmark results into one table.

    The table shows errors with intervals, differences between methods, and published numbers.
    It also shows the error of the mean shape, called the floor.
    """
    from benchmarks.tables.table_files import make_table

    text = make_table(
        results, format_.value if format_ else None, out, headline=headline, allow_contaminated=allow_contaminated
    )
    print(f"table: {out}" if out else text, end="\n" if out else "")
