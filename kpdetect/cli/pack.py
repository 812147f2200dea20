"""`kpdetect pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    project: Annotated[Path, typer.Argument(help="A trained model: project folder, run folder or weights file of a detector.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the weights; it can be used as a MODEL anywhere.")],
) -> None:
    """Put a model's weights (in float16), its record of images, terms and card into one folder to give away."""
    from kpdetect.inference.packing import pack_model

    for path in pack_model(project, out):
        weights = path.suffix == ".safetensors"
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB" if weights else path)
