"""`kpdetect convert`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


class PairFormat(str, Enum):
    """Formats of image-keypoint pairs that other programs read."""

    coco = "coco"
    webdataset = "webdataset"


def command(
    pairs: Annotated[Path, typer.Argument(help="Folder of generated image-keypoint pairs, written by `kpdetect generate`.")],
    out: options.Out,
    format_: Annotated[
        PairFormat,
        typer.Option("--format", help="Format to write. coco: JPEG files and annotations.json. webdataset: tar files."),
    ],
) -> None:
    """Convert generated image-keypoint pairs to a format that other training programs read."""
    from kpdetect.data.coco import write_coco
    from kpdetect.data.derived_files import recorded, require_own, rewritten
    from kpdetect.data.shard_folder import ShardFolder
    from kpdetect.data.webdataset import write_webdataset
    from kpdetect.files.sources import SOURCES, copy_sources

    folder = ShardFolder(pairs)
    listed = [SOURCES] if (pairs / SOURCES).exists() else []
    earlier = [SOURCES] if any(each.value in recorded(out) for each in PairFormat) else []
    require_own(out, SOURCES, listed, earlier=earlier)
    if format_ is PairFormat.coco:
        print(f"annotations: {write_coco(folder, out)}")
    else:
        print(f"tar files: {len(write_webdataset(folder, out))} in {out}")
    with rewritten(out, SOURCES, listed, earlier=listed):
        copy_sources(pairs, out)
