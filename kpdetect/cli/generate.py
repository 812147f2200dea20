"""`kpdetect generate`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


class Codec(str, Enum):
    """Encodings of images in a shard."""

    jpeg = "jpeg"
    raw = "raw"


def command(
    model: Annotated[Path, typer.Argument(help="A trained generator: run folder, project folder or weights file.")],
    out: options.Out,
    count: Annotated[int, typer.Option(min=1, help="Number of pairs in all. A larger number than before adds pairs.")] = 20_000,
    codec: Annotated[
        Codec, typer.Option(help="jpeg: quality 95 without chroma subsampling; raw: lossless, five times larger.")
    ] = Codec.jpeg,
    shard_size: Annotated[int, typer.Option(min=1, help="Pairs per shard.")] = 5_000,
    truncation: Annotated[float, typer.Option(help="Factor in (0, 1] on the noise. Lower: more typical, less varied.")] = 1.0,
    masks: Annotated[bool, typer.Option("--masks", help="Also store the foreground mask of every image.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Number of threads that encode images.")] = 2,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Generate pairs of image and keypoints, as HDF5 shards. Under torchrun each process writes some of the shards."""
    from generator.export import export_pairs

    pairs = export_pairs(
        model,
        out,
        count,
        codec=codec.value,
        shard_size=shard_size,
        truncation=truncation,
        masks=masks,
        workers=workers,
        seed=seed,
        device=device.value,
    )
    print(f"pairs: {pairs.path}")
