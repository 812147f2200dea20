"""`kpdetect label`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="Trained detector: project folder, run folder or weights file.")],
    names: Annotated[
        list[str] | None, typer.Option("--name", metavar="N=NAME", help="Give keypoint N a name. Repeatable.")
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--pair",
            metavar="N,M",
            help="Mark keypoint N as the left and M as the right of the same part, for example the eyes. Repeatable.",
        ),
    ] = None,
    links: Annotated[
        list[str] | None,
        typer.Option("--link", metavar="N-M", help="Draw a line between keypoints N and M in pictures. Repeatable."),
    ] = None,
    drop: Annotated[
        list[int] | None, typer.Option("--drop", metavar="N", help="Leave keypoint N out of predictions. Repeatable.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Start from the labels in this YAML file, with the keys names, pairs, links and drop."),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove all labels that the model has, before the other options apply.")
    ] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            help="Folder of images. Write one picture that shows all keypoints and their numbers on some of these images.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help="File for the picture of --images. (default: keypoints.png in the folder of the weights)"),
    ] = None,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Name the keypoints of a detector, pair left with right, link them by lines, or drop useless ones.

    Without options, print the present labels.
    """
    from kpdetect.cli.folder_lock import writing_alone
    from kpdetect.images.image_files import require_format
    from kpdetect.inference.labelling import SHEET, change_labels, describe_labels, draw_sheet, sheet_tiles
    from kpdetect.inference.labels import LABELS
    from kpdetect.shipped import is_shipped
    from kpdetect.training.checkpoints import find_weights

    if sheet is not None:
        require_format(sheet)  # before the labels change
    tiles = None if images is None else sheet_tiles(model, images)  # nothing is written for images that cannot be read
    changes = bool(names or pairs or links or drop or file or clear)
    folder = find_weights(model, "detector").parent
    writes = (changes or (tiles is not None and sheet is None)) and not is_shipped(folder / LABELS)
    with writing_alone(folder) if writes else nullcontext():
        target, labels, keypoints = change_labels(
            model, names=names or (), pairs=pairs or (), links=links or (), drop=drop or (), file=file, clear=clear
        )
        for line in describe_labels(labels, keypoints):
            typer.echo(line)
        typer.echo(f"labels: {target}" if target.exists() else "labels: none yet")
        if tiles is not None:
            typer.echo(f"picture: {draw_sheet(model, tiles, sheet, device.value)}")
        elif changes and (picture := folder / SHEET).exists():
            print(f"warning: {picture} still shows the earlier labels; give --images to draw it again", file=sys.stderr)
