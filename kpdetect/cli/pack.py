"""`kpdetect pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    project: Annotated[
        Path, typer.Argument(help="Trained model: the project folder, run folder or weights file of a detector.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the packed model. Other commands accept this folder as MODEL.")
    ],
) -> None:
    """Pack a model into one small folder to share it.

    The folder holds the weights in float16, the list of the training images, the licence and the model card.
    """
    from kpdetect.inference.packing import pack_model

    for path in pack_model(project, out):
        weights = path.suffix == ".safetensors"
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB" if weights else path)
