"""`kpdetect studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PROJECT|MODEL]", help="Project, run folder, weights file, shipped name, or a folder of predict."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on this machine; 0 takes a free port.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    images: Annotated[Path | None, typer.Option("--images", help="Folder of images for the rooms Name and Review.")] = None,
    predictions: Annotated[Path | None, typer.Option("--predictions", help="A folder of kpdetect predict to review.")] = None,
    compare: Annotated[
        list[Path] | None, typer.Option("--compare", metavar="DIR", help="Results to compare in a user study; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to save; PROJECT/studio or ./studio unless given.")
    ] = None,
) -> None:
    """Open a local page in the browser to look, edit, name keypoints, correct them, and compare results."""
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
