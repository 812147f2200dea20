"""`kpdetect controllability`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[
        Path,
        typer.Argument(
            help="Project folder, or the name of a model that comes with the package. It must hold a generator and a detector."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the numbers, control.json, and a figure, control.png.")],
    count: Annotated[
        int,
        typer.Option(
            "--count", min=1, help="Number of pairs of generated images that exchange keypoints, embeddings or background."
        ),
    ] = 200,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Measure what the keypoints, embeddings and background of a generator control in its images.

    The measurement is that of table 9 of the LatentKeypointGAN paper.
    """
    from benchmarks.studies.controllability import describe_control, write_control
    from kpdetect.training.runtime import resolve_runtime

    control = write_control(model, out, resolve_runtime(device.value), count=count, seed=seed)
    print(describe_control(control))
    print(f"picture: {out / 'control.png'}")
