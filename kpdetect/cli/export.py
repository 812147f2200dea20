"""`kpdetect export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REAL = 16
"""Largest number of real images on which the exported model is compared with the detector."""


def command(
    model: Annotated[Path, typer.Argument(help="A trained detector: project folder, run folder or weights file.")],
    onnx: Annotated[Path | None, typer.Option("--onnx", metavar="FILE", help="Write an ONNX file (extra: onnx).")] = None,
    torch: Annotated[
        Path | None, typer.Option("--torch", metavar="FILE", help="Write a file of torch.export; its name ends in .pt2.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of real images on which to compare the file with the detector.")
    ] = None,
) -> None:
    """Export a detector for use without kpdetect, and compare the exported file's keypoints with the detector's."""
    from kpdetect.errors import InputError
    from kpdetect.images.image_files import list_images, readable
    from kpdetect.inference.export import check_parity, export_onnx, export_torch
    from kpdetect.inference.predictor import Predictor

    if onnx is None and torch is None:
        raise InputError("export: there is nothing to write; give --onnx FILE or --torch FILE")
    predictor = Predictor.load(model, "cpu")
    real = [image for _, image in readable(list_images(images)[:REAL])] if images is not None else []
    for path, export in ((onnx, export_onnx), (torch, export_torch)):
        if path is not None:
            graph = export(predictor, path)
            typer.echo(
                f"wrote: {path} ({path.stat().st_size / 2**20:.1f} MiB), images [batch, 3, {predictor.side}, {predictor.side}]"
            )
            for parity in check_parity(predictor, graph, real):
                typer.echo(f"  {parity.line(predictor.side)}")
