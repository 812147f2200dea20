"""`kpdetect generate`."""

from __future__ import annotations

from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: options.Generator,
    out: options.Out,
    count: Annotated[
        int,
        typer.Option(
            min=1, help="Total number of pairs. To add pairs to the folder, run the command again with a larger number."
        ),
    ] = 20_000,
    codec: options.CodecOption = options.Codec.jpeg,
    shard_size: Annotated[int, typer.Option(min=1, help="Number of pairs in each shard (HDF5 file).")] = 5_000,
    truncation: Annotated[
        float,
        typer.Option(
            help="Factor on the random input of the generator, above 0 and at most 1. "
            "Lower values give more typical, less varied images."
        ),
    ] = 1.0,
    masks: Annotated[bool, typer.Option("--masks", help="Also store the mask of the object in each image.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Number of threads that encode images.")] = 2,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Generate image-keypoint pairs and write them into HDF5 files, called shards.

    Under torchrun each process writes some of the shards.
    """
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
