"""`kpdetect export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    from kpdetect.inference.export import export_detector

    for written in export_detector(model, onnx=onnx, torch=torch, images=images):
        side, size = written.side, written.path.stat().st_size / 2**20
        print(f"wrote: {written.path} ({size:.1f} MiB), images [batch, 3, {side}, {side}]")
        for parity in written.parity:
            print(f"  {parity.line(side)}")
