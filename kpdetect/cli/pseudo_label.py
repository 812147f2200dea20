"""`kpdetect pseudo-label`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options
from kpdetect.cli.generate import Codec


def command(
    model: Annotated[Path, typer.Argument(help="The detector that predicted: project, run folder, weights or a name.")],
    found: Annotated[Path, typer.Argument(help="What `kpdetect predict` wrote about a folder of images.")],
    images: Annotated[Path, typer.Argument(help="That folder of images.")],
    out: options.Out,
    also: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--also", metavar="MODEL FOUND", help="A detector it came from, or that came from it: average with it."),
    ] = None,
    size: Annotated[int, typer.Option(min=32, max=512, help="Side of the squares, pixels.")] = 128,
    crop: options.CropOption = options.CropName.centre,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Nothing is learned of keypoints less sure than this.")
    ] = 0.0,
    codec: Annotated[
        Codec, typer.Option(help="jpeg: quality 95 without chroma subsampling; raw: five times larger.")
    ] = Codec.jpeg,
    workers: Annotated[int, typer.Option(min=1, help="Threads that read and encode images.")] = 2,
) -> None:
    """Write real images and the keypoints found in them as pairs, to train another detector on."""
    from kpdetect.inference.pseudo_labels import write_pseudo_pairs

    count = write_pseudo_pairs(
        model,
        found,
        images,
        out,
        size=size,
        crop=crop.value,
        min_confidence=min_confidence,
        codec=codec.value,
        workers=workers,
        others=[] if also is None else [also],
    )
    print(f"pairs: {count:,} in {out}")
