"""`kpdetect pseudo-label`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[
        Path,
        typer.Argument(
            help="Detector that made the predictions: project folder, run folder, weights file or the name of a model that "
            "comes with the package."
        ),
    ],
    predictions: Annotated[Path, typer.Argument(help="Folder that `kpdetect predict` wrote for IMAGES.")],
    images: Annotated[
        Path, typer.Argument(help="Folder, or tar, HDF5 or Parquet file, of the real images that were predicted.")
    ],
    out: options.Out,
    also: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--also",
            metavar="MODEL PREDICTIONS",
            help="Second detector and its predictions. The keypoints of both are averaged. "
            "One of the detectors must have been trained from the other.",
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=32, max=512, help="Side in pixels of the square images in the pairs.")] = 128,
    crop: options.CropOption = options.CropName.centre,
    min_confidence: Annotated[
        float,
        typer.Option(min=0, max=1, help="Mark keypoints below this confidence as missing. Training on the pairs ignores them."),
    ] = 0.0,
    codec: options.CodecOption = options.Codec.jpeg,
    workers: Annotated[int, typer.Option(min=1, help="Number of threads that read and encode images.")] = 2,
) -> None:
    """Write real images and the keypoints predicted in them as image-keypoint pairs, to train another detector.

    Under torchrun each process writes some of the files.
    """
    from kpdetect.inference.pseudo_labels import write_pseudo_pairs
    from kpdetect.training.processes import Peers

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
