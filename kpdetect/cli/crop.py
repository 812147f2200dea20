"""`kpdetect crop`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    images: Annotated[
        Path, typer.Argument(help="Folder of images, searched recursively, or a tar, HDF5 or Parquet file of images.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Folder for the crops. It must hold nothing else. Each run of the command replaces the crops in it.",
        ),
    ],
    boxes: Annotated[
        Path | None,
        typer.Option(
            "--boxes",
            metavar="FILE",
            help="CSV file with the columns image,left,top,width,height in pixels. Images without a row are not cropped.",
        ),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option("--box", metavar="L,T,W,H", help="One box for all images: left, top, width and height in pixels."),
    ] = None,
    exclude_list: Annotated[
        list[Path] | None,
        typer.Option(
            "--exclude-list",
            metavar="FILE",
            help="Text file with the names of images to leave out, one per line. Repeatable.",
        ),
    ] = None,
    strict: options.Strict = False,
) -> None:
    """Cut the object out of each image. Training works best if the object fills most of the image.

    Under torchrun each process crops some of the images.
    """
    from kpdetect.data.name_lists import excluded_names
    from kpdetect.errors import InputError
    from kpdetect.images.image_files import list_names
    from kpdetect.inference.boxes import parse_box, read_boxes
    from kpdetect.inference.crop import crop_images
    from kpdetect.training.processes import Peers

    if (boxes is None) == (box is None):
        raise InputError("crop: give either --boxes FILE or --box L,T,W,H")
    chosen = parse_box(box, "box") if box is not None else read_boxes(boxes or Path(), list_names(images, out))
    skipped = crop_images(
        images, out, chosen, exclude=excluded_names(images, exclude_list or []), strict=strict, peers=Peers.here()
    )
    if skipped and Peers.here().is_main:
        print(f"warning: skipped {len(skipped)} images; the first one: {next(iter(skipped.values()))}", file=sys.stderr)
    print(f"crops: {out}")
