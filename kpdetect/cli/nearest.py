"""`kpdetect nearest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: options.Generator,
    images: Annotated[
        Path, typer.Argument(help="Folder, or tar, HDF5 or Parquet file, of images that the generator was trained on.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder for the distances, nearest.json, and a picture of the most similar images, nearest.png."
        ),
    ],
    count: Annotated[int, typer.Option("--count", min=1, help="Number of images to generate.")] = 1_000,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Check whether a generator copies its training images.

    The command measures the distance from each generated image to the most similar training image.
    """
    from benchmarks.studies.nearest import describe_nearest, nearest_training_images
    from kpdetect.training.runtime import resolve_runtime

    runtime = resolve_runtime(device.value)
    result = nearest_training_images(model, images, out, runtime, count=count, seed=seed, exclude=tuple(exclude_list or ()))
    print(describe_nearest(result))
    print(f"picture: {out / 'nearest.png'}")
