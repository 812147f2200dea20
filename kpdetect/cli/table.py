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
    results: Annotated[list[Path], typer.Argument(help="JSON results of `kpdetect benchmark`, or folders of them.")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="Format of the table. (default: by the ending of --out, else markdown)")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="File to write (.md, .tex or .csv). (default: print the table)"),
    ] = None,
    headline: Annotated[bool, typer.Option("--headline", help="Show only the headline regression of each protocol.")] = False,
    allow_contaminated: Annotated[
        bool,
        typer.Option("--allow-contaminated", help="Also show models that were trained on test images. Their rows are marked."),
    ] = False,
) -> None:
    """Put several benchmark results into one table, with intervals, floors, differences and published numbers."""
    from benchmarks.tables.table_files import make_table

    text = make_table(
        results, format_.value if format_ else None, out, headline=headline, allow_contaminated=allow_contaminated
    )
    print(f"table: {out}" if out else text, end="\n" if out else "")
