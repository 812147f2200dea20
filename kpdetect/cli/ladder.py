"""`kpdetect ladder`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options
from kpdetect.cli.upper import upper


def command(
    images: Annotated[Path, typer.Argument(help="Folder of unlabelled images, searched recursively.")],
    data: Annotated[Path, typer.Option("--data", help="The annotated data set, in its official layout.")],
    out: options.Out,
    minutes_each: Annotated[float, typer.Option("--minutes-each", min=0, help="Training minutes of each model.")],
    protocol: Annotated[str, typer.Option("--protocol", help="A named protocol; kpdetect benchmark list.")] = "mafl-aligned",
    model: Annotated[
        list[options.Model] | None,
        typer.Option("--model", help="Models to train; repeatable. The five of table 3 unless given."),
    ] = None,
    keypoints: Annotated[int, typer.Option("--keypoints", "-k", help="Number of keypoints, 1 to 64.")] = 10,
    size: Annotated[int, typer.Option(help="Side of the generated images: 32, 64, 128, 256 or 512.")] = 64,
    preset: options.PresetOption = options.Preset.tiny,
    crop: options.CropOption = options.Crop.centre,
    refine: Annotated[bool, typer.Option("--refine/--no-refine", help="Train the detectors on the real images too.")] = False,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    set_: options.Set = None,
) -> None:
    """Train the tuned model and with less and less of it, and measure what each step is worth (the paper's table 3)."""
    chosen = {} if not model else {"models": tuple(each.value for each in model)}
    path = upper("run_ladder")(
        images,
        data,
        out,
        protocol=protocol,
        minutes_each=minutes_each,
        keypoints=keypoints,
        size=size,
        preset=preset.value,
        crop=crop.value,
        refined=refine,
        seed=seed,
        exclude_lists=exclude_list or [],
        device=device.value,
        precision=precision.value,
        overrides=set_ or [],
        **chosen,
    )
    print(f"table: {path}")
