"""`kpdetect embeddings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A trained generator: project or run folder, weights file, or shipped name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for embeddings.png, .csv and .json.")],
    count: Annotated[int, typer.Option("--count", min=5, help="Number of generated images.")] = 200,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Plot the embeddings of keypoints and background in 2D, by t-SNE and PCA (the paper's figure 13)."""
    from benchmarks.studies.embeddings import describe_embeddings, write_embeddings
    from kpdetect.training.runtime import resolve_runtime

    embeddings = write_embeddings(model, out, resolve_runtime(device.value), count=count, seed=seed)
    print(describe_embeddings(embeddings))
    print(f"picture: {out / 'embeddings.png'}")
