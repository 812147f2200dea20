"""`kpdetect study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    results: Annotated[
        list[Path], typer.Argument(help="Folders of user studies that `kpdetect studio` saved, or CSV files of answers.")
    ],
    imported: Annotated[
        list[Path] | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="File with one participant's answers, saved from a study page that `kpdetect studio` exported. "
            "Its answers are added to the study. Repeatable. Needs exactly one study.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Markdown file for the table. (default: print the table)")
    ] = None,
) -> None:
    """Count the answers of a user study, with 95 % intervals, as in table 4 of the LatentKeypointGAN paper."""
    from kpdetect.files.atomic import write_text
    from kpdetect.studio.study_results import import_files, table_of

    for participant in import_files(results, imported or ()):
        print(f"imported: {participant}")
    text = table_of(results)
    if out is not None:
        write_text(out, text + "\n")
    print(f"table: {out}" if out else text)
