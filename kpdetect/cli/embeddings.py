"""`kpdetect embeddings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: options.Generator,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for embeddings.png, embeddings.csv and embeddings.json.")],
    count: Annotated[
        int,
        typer.Option(
            "--count",
            min=5,
            help="Number of images to generate. Each gives one embedding for each keypoint and for the background.",
        ),
    ] = 200,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Plot the embeddings of a generator's keypoints and background in 2D, by t-SNE and PCA.

    The plot is that of figure 13 of the LatentKeypointGAN paper.
    """
    from benchmarks.studies.embeddings import describe_embeddings, write_embeddings
    from kpdetect.training.runtime import resolve_runtime

    embeddings = write_embeddings(model, out, resolve_runtime(device.value), count=count, seed=seed)
    print(describe_embeddings(embeddings))
    print(f"picture: {out / 'embeddings.png'}")
