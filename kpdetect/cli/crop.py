"""`kpdetect crop`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    images: Annotated[Path, typer.Argument(help="Folder of images, searched recursively.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the crops alone; written anew by every call.")],
    boxes: Annotated[
        Path | None,
        typer.Option("--boxes", metavar="FILE", help="CSV image,left,top,width,height; others are left out."),
    ] = None,
    box: Annotated[str | None, typer.Option("--box", metavar="L,T,W,H", help="One box for all images, pixels.")] = None,
    exclude_list: Annotated[
        list[Path] | None,
        typer.Option("--exclude-list", metavar="FILE", help="Names never to crop: leave them out here, crops are named .png."),
    ] = None,
    strict: options.Strict = False,
) -> None:
    """Cut boxes out of images, to train on: the object should fill a good part of the frame."""
    from kpdetect.data.name_lists import excluded_names
    from kpdetect.errors import InputError
    from kpdetect.images.image_files import list_names
    from kpdetect.inference.boxes import parse_box, read_boxes
    from kpdetect.inference.crop import crop_images

    if (boxes is None) == (box is None):
        raise InputError("crop: give either --boxes FILE or --box L,T,W,H")
    chosen = parse_box(box, "--box") if box is not None else read_boxes(boxes or Path(), list_names(images, out))
    skipped = crop_images(images, out, chosen, exclude=excluded_names(images, exclude_list or []), strict=strict)
    if skipped:
        print(f"warning: skipped {len(skipped)} images; the first: {next(iter(skipped.values()))}", file=sys.stderr)
    print(f"crops: {out}")
