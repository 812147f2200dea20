"""`kpdetect controllability`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A project folder or shipped name; it must hold a generator and a detector.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for control.json and the picture control.png.")],
    count: Annotated[int, typer.Option("--count", min=1, help="Number of pairs of generated images.")] = 200,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Measure what keypoints, embeddings and background each change in generated images (the paper's table 9)."""
    from benchmarks.studies.controllability import describe_control, write_control
    from kpdetect.training.runtime import resolve_runtime

    control = write_control(model, out, resolve_runtime(device.value), count=count, seed=seed)
    print(describe_control(control))
    print(f"picture: {out / 'control.png'}")
