"""`kpdetect boxes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    found: Annotated[Path, typer.Argument(help="Folder that `kpdetect predict` wrote about images.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The table, image,left,top,width,height.")],
    keypoints: Annotated[
        str | None, typer.Option(metavar="N,M,...", help="Only these, such as those of the head; all unless given.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(min=0, help="Border around them, as a share of the longer side of their own box.")
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Frame them as this detector of the same keypoints saw them in training."),
    ] = None,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Leave out images in which they are less sure.")] = 0.0,
) -> None:
    """Squares about the keypoints found in images, for `kpdetect crop --boxes` and `kpdetect predict --crop-boxes`."""
    from kpdetect.errors import InputError
    from kpdetect.inference.boxes import found_boxes, write_boxes

    if (margin is None) == (like is None):
        raise InputError("boxes: give either --margin M or --like MODEL")
    if keypoints is not None and not keypoints.strip(" ,"):
        raise InputError("--keypoints: no number given; expected numbers separated by commas, such as 0,3,4")
    try:
        numbers = [int(text) for text in (keypoints or "").split(",") if text.strip()]
    except ValueError as error:
        raise InputError(f"--keypoints {keypoints}: expected numbers separated by commas, such as 0,3,4") from error
    boxes, total = found_boxes(found, keypoints=numbers, margin=margin, like=like, min_confidence=min_confidence)
    write_boxes(boxes, out)
    print(f"boxes: {len(boxes):,} of {total:,} images in {out}")
