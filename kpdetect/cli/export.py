"""`kpdetect export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: options.Detector,
    onnx: Annotated[
        Path | None, typer.Option("--onnx", metavar="FILE", help="Write this ONNX file. Needs the pip extra onnx.")
    ] = None,
    torch: Annotated[
        Path | None,
        typer.Option("--torch", metavar="FILE", help="Write this file with torch.export. Its name must end in .pt2."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            help="Folder of real images. On some of these images, the keypoints of the exported file are compared with the "
            "detector's.",
        ),
    ] = None,
) -> None:
    """Export a detector to a file that runs without kpdetect.

    The keypoints that the exported file finds are then compared with those of the detector.
    """
    from kpdetect.inference.export import export_detector

    for written in export_detector(model, onnx=onnx, torch=torch, images=images):
        side, size = written.side, written.path.stat().st_size / 2**20
        print(f"wrote: {written.path} ({size:.1f} MiB), images [batch, 3, {side}, {side}]")
        for parity in written.parity:
            print(f"  {parity.line(side)}")
