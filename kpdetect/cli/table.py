"""`kpdetect table`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Format(str, Enum):
    """How a table is written."""

    markdown = "markdown"
    latex = "latex"
    csv = "csv"


def command(
    results: Annotated[list[Path], typer.Argument(help="Results of kpdetect benchmark (JSON), or folders of them.")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="markdown unless given, or what the ending of --out says.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to FILE (.md, .tex, .csv) instead of the screen.")
    ] = None,
    headline: Annotated[bool, typer.Option("--headline", help="Only the rows of each protocol's headline regression.")] = False,
    allow_contaminated: Annotated[
        bool, typer.Option("--allow-contaminated", help="Take results of models that saw test images; their rows are marked.")
    ] = False,
) -> None:
    """Several results in one table, with intervals, floors, differences and published numbers."""
    from benchmarks.tables.table_files import make_table

    text = make_table(
        results, format_.value if format_ else None, out, headline=headline, allow_contaminated=allow_contaminated
    )
    print(f"table: {out}" if out else text, end="\n" if out else "")
