"""`kpdetect toy`."""

from __future__ import annotations

from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    out: options.Out,
    count: Annotated[int, typer.Option(min=1, help="Number of images to draw.")] = 4_000,
    size: Annotated[int, typer.Option(min=16, max=1024, help="Side of the images in pixels.")] = 64,
    seed: options.Seed = 0,
) -> None:
    """Draw a data set of cartoon faces whose landmarks are known exactly."""
    from kpdetect.progress import Progress
    from kpdetect.toy.dataset import write_toy

    with Progress(count, "draw") as progress:
        write_toy(out, count, size=size, seed=seed, report=progress.update)
    print(f"images: {out / 'images'}")
