"""`kpdetect measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A trained model: project or run folder, weights file, or shipped name.")],
    images: Annotated[Path, typer.Argument(help="Folder of real images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    count: Annotated[
        int, typer.Option("--count", min=2, help="Number of generated images, and largest number of real images.")
    ] = 5_000,
    pairs: Annotated[
        int, typer.Option("--pairs", min=1, help="Number of pairs of images for CPD; the paper uses 1,000.")
    ] = 200,
    features: Annotated[
        str, typer.Option(help="Network that the images are compared by: imagenet (extra: imagenet) or random.")
    ] = "imagenet",
    inception_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Weights of Inception, for the standard FID and KID (extra: fid).",
        ),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", help="Second detector, best trained with another seed. Measures how far the two detectors agree."
        ),
    ] = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Measure quality without annotations: distance of generated to real images, CPD, and stability of the keypoints.

    Under torchrun the first process measures and the others wait, because the number of images is limited.
    """
    from benchmarks.studies.judging import describe_verdict
    from benchmarks.studies.measure import measure, measured_markdown
    from kpdetect.training.peers import Peers
    from kpdetect.training.runtime import resolve_runtime

    if not Peers.here().is_main:
        return
    measured = measure(
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
    print(measured_markdown(measured))
    if verdict := describe_verdict(out):
        print(verdict)
    print(f"written: {out / 'measured.json'}")
