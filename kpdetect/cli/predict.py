"""`kpdetect predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A trained detector: project folder, run folder or weights file.")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="An image, or a folder of images.")],
    out: options.Out,
    overlays: Annotated[int, typer.Option(help="How many overlays to write, spread over the images; -1 for all.")] = 200,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Predict again what this model predicted already.")] = False,
    strict: options.Strict = False,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Write keypoints of images as a table (original pixels), and overlays."""
    from kpdetect.inference.folder import predict_folder

    predictions = predict_folder(model, source, out, device=device.value, overlays=overlays, strict=strict, overwrite=overwrite)
    print(f"predictions: {out / 'predictions.csv'} ({len(predictions.images):,} images)")
    print(f"overlays: {out / 'overlays'}")
