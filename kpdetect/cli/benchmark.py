"""`kpdetect benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli.upper import upper


def command(
    protocol: Annotated[str, typer.Argument(help="mafl-aligned or toy.")],
    model: Annotated[Path, typer.Option("--model", help="A trained detector: project folder, run folder or weights file.")],
    data: Annotated[Path, typer.Option("--data", help="The annotated data set, in its official layout.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for predictions and result; MODEL/results unless given.")
    ] = None,
    allow_contaminated: Annotated[
        bool, typer.Option("--allow-contaminated", help="Evaluate a model that was trained on test images; its row is marked.")
    ] = False,
    cross_validate: Annotated[
        bool,
        typer.Option(
            "--cross-validate", help="Measure inside the fitting images and leave the test images unread, to choose by."
        ),
    ] = False,
) -> None:
    """Measure a detector against annotated landmarks, with the floor and baselines beside it."""
    if cross_validate:
        upper("run_cross_validation")(protocol, model=model, data=data, out=out)
        return
    upper("run_benchmark")(protocol, model=model, data=data, out=out, allow_contaminated=allow_contaminated)
