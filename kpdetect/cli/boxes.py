"""`kpdetect boxes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    predictions: Annotated[Path, typer.Argument(help="Folder that `kpdetect predict` wrote for images (not for videos).")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="CSV file to write, with the columns image,left,top,width,height in pixels."
        ),
    ],
    keypoints: Annotated[
        str | None,
        typer.Option(
            metavar="N,M,...",
            help="Numbers of the keypoints that the square encloses, for example those of the head. (default: all)",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0, help="Border around the keypoints, as a fraction of the longer side of their bounding box."),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Trained detector. Choose the border so that the keypoints fill the same fraction of the square as in this "
            "detector's training images.",
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out images whose keypoints have a mean confidence below this value.")
    ] = 0.0,
) -> None:
    """Write a file with a square box around the keypoints of each image.

    `kpdetect crop --boxes` and `kpdetect predict --crop-boxes` read this file.
    """
    from kpdetect.errors import InputError
    from kpdetect.inference.boxes import found_boxes, write_boxes

    if (margin is None) == (like is None):
        raise InputError("boxes: give either --margin M or --like MODEL")
    if keypoints is not None and not keypoints.strip(" ,"):
        raise InputError("--keypoints: there is no number; expected numbers separated by commas, such as 0,3,4")
    try:
        numbers = [int(text) for text in (keypoints or "").split(",") if text.strip()]
    except ValueError as error:
        raise InputError(f"--keypoints {keypoints}: expected numbers separated by commas, such as 0,3,4") from error
    boxes, total = found_boxes(predictions, keypoints=numbers, margin=margin, like=like, min_confidence=min_confidence)
    write_boxes(boxes, out)
    print(f"boxes: {len(boxes):,} of {total:,} images in {out}")
