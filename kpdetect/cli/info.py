"""`kpdetect info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    path: Annotated[
        Path, typer.Argument(help="File or folder that kpdetect wrote, or the name of a model that comes with the package.")
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="For image-keypoint pairs: also check the checksums of their files.")
    ] = False,
) -> None:
    """Describe a file or folder that kpdetect wrote."""
    from benchmarks.describe import describe_measurements
    from kpdetect.inference.describe import describe_file

    for line in describe_measurements(path) or describe_file(path, verify=verify):
        typer.echo(line)
