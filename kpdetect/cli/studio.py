"""`kpdetect studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PROJECT|MODEL]",
            help="Project folder, run folder, weights file, the name of a model that comes with the package, "
            "or a folder that `kpdetect predict` wrote.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page on this machine. 0: any free port.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    images: Annotated[
        Path | None,
        typer.Option("--images", help="Folder or archive of images to show on the pages Name and Review."),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Folder that `kpdetect predict` wrote, to review and correct.")
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", metavar="DIR", help="Folder of result images to compare in a user study. Repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for everything that is saved on the page. (default: PROJECT/studio, or ./studio)"
        ),
    ] = None,
) -> None:
    """Open a local page in the browser to watch a run, edit images, name and correct keypoints, and compare results."""
    from kpdetect.errors import InputError

    try:
        from kpdetect.studio.server import run_studio
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise InputError(f'studio: the package {error.name} is not installed; pip install "kpdetect[studio]"') from error
    from kpdetect.studio.workplace import open_workplace

    place = open_workplace(target, out=out, images=images, predictions=predictions, compared=compare or ())
    run_studio(place, port, browser)
