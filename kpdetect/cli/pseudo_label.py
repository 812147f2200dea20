"""`kpdetect pseudo-label`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options
from kpdetect.cli.generate import Codec


def command(
    model: Annotated[
        Path,
        typer.Argument(help="Detector that made the predictions: project folder, run folder, weights file or shipped name."),
    ],
    predictions: Annotated[Path, typer.Argument(help="Folder that `kpdetect predict` wrote for the images.")],
    images: Annotated[Path, typer.Argument(help="Folder of the images.")],
    out: options.Out,
    also: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--also",
            metavar="MODEL PREDICTIONS",
            help="A second detector and its predictions, to average with. One of the two detectors must come from the other.",
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=32, max=512, help="Side of the square images in the pairs, in pixels.")] = 128,
    crop: options.CropOption = options.CropName.centre,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Training ignores keypoints below this confidence.")
    ] = 0.0,
    codec: Annotated[
        Codec, typer.Option(help="jpeg: quality 95 without chroma subsampling; raw: lossless, five times larger.")
    ] = Codec.jpeg,
    workers: Annotated[int, typer.Option(min=1, help="Number of threads that read and encode images.")] = 2,
) -> None:
    """Write real images and their predicted keypoints as pairs, to train another detector on.

    Under torchrun each process writes a part of the shards.
    """
    from kpdetect.inference.pseudo_labels import write_pseudo_pairs
    from kpdetect.training.peers import Peers

    count = write_pseudo_pairs(
        model,
        predictions,
        images,
        out,
        size=size,
        crop=crop.value,
        min_confidence=min_confidence,
        codec=codec.value,
        workers=workers,
        others=[] if also is None else [also],
        peers=Peers.here(),
    )
    print(f"pairs: {count:,} in {out}")
