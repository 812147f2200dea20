"""`kpdetect measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[
        Path,
        typer.Argument(
            help="Trained generator, detector, or both: project folder, run folder, weights file, or the name of a model "
            "that comes with the package."
        ),
    ],
    images: Annotated[Path, typer.Argument(help="Folder of real images, or a tar, HDF5 or Parquet file of images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    count: Annotated[
        int, typer.Option("--count", min=2, help="Number of images to generate. At most this many real images are used.")
    ] = 5_000,
    pairs: Annotated[
        int,
        typer.Option(
            "--pairs",
            min=1,
            help="Number of pairs of generated images for the measurement of CPD. "
            "The short LatentKeypointGAN paper uses 1,000.",
        ),
    ] = 200,
    features: Annotated[
        str,
        typer.Option(
            help="Network whose features compare generated with real images: imagenet (needs the pip extra imagenet) or random."
        ),
    ] = "imagenet",
    inception_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="File of Inception weights, for the standard FID and KID. Needs the pip extra fid. Replaces --features.",
        ),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", help="Second detector, trained with another seed. Also measure how far the two detectors agree."
        ),
    ] = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Measure a model without annotations.

    The command measures how much generated images differ from real ones, how stable the keypoints are, and the
    correlation-based part disentanglement (CPD): whether each keypoint's embedding changes a separate place.
    The processes of torchrun share the work.
    """
    from benchmarks.studies.judging import describe_verdict
    from benchmarks.studies.measure import measure
    from benchmarks.studies.measured_rows import measured_markdown
    from kpdetect.training.processes import Peers
    from kpdetect.training.runtime import resolve_runtime

    peers = Peers.here()
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
        peers=peers,
    )
    if not peers.is_main:
        return
    print(measured_markdown(measured))
    if verdict := describe_verdict(out):
        print(verdict)
    print(f"written: {out / 'measured.json'}")
