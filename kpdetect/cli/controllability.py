"""`kpdetect controllability`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A project folder or shipped name, with generator and detector.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for control.json and the picture control.png.")],
    count: Annotated[int, typer.Option("--count", min=1, help="Pairs of generated images.")] = 200,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """What keypoints, their embeddings and the background each control, and whether they are apart (the paper's table 9)."""
    from benchmarks.studies.controllability import describe_control, write_control
    from kpdetect.training.runtime import resolve_runtime

    found = write_control(model, out, resolve_runtime(device.value), count=count, seed=seed)
    print(describe_control(found))
    print(f"picture: {out / 'control.png'}")
