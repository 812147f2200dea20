"""`kpdetect measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A trained model: project or run folder, weights file, or shipped name.")],
    images: Annotated[Path, typer.Argument(help="A folder of real images to compare with.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the numbers.")],
    count: Annotated[int, typer.Option("--count", min=2, help="Generated images, and at most as many real ones.")] = 5_000,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Pairs of images for CPD; the paper takes 1,000.")] = 200,
    features: Annotated[str, typer.Option(help="imagenet (extra: imagenet) or random.")] = "imagenet",
    inception_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Inception's weights, for FID and KID proper (extra: fid)."
        ),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Compare with another detector, best of another seed."),
    ] = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Numbers that need no annotations: distance of generated to real images, CPD, and how steady keypoints are."""
    from benchmarks.studies.judging import describe_verdict
    from benchmarks.studies.measure import measure, measured_markdown
    from kpdetect.training.runtime import resolve_runtime

    found = measure(
        model,
        images,
        out,
        resolve_runtime(device.value),
        count=count,
        pairs=pairs,
        seed=seed,
        features=features if inception_weights is None else str(inception_weights),
        exclude=tuple(exclude_list or ()),
        other=other,
    )
    print(measured_markdown(found))
    if verdict := describe_verdict(out):
        print(verdict)
    print(f"written: {out / 'measured.json'}")
