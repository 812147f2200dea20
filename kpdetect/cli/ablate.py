"""`kpdetect ablate` and `kpdetect ladder`."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options


class TableName(str, Enum):
    """Ablation tables of the paper."""

    table2 = "table2"
    table3 = "table3"
    table6 = "table6"
    table7 = "table7"
    table8 = "table8"
    table9 = "table9"


Images = Annotated[Path, typer.Argument(help="Folder of unlabelled images, searched recursively.")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Annotated data set in its official layout. Without it, only the generated images are measured."
    ),
]
MinutesEach = Annotated[float, typer.Option("--minutes-each", min=0, help="Training minutes per cell of the table.")]
ProtocolName = Annotated[str, typer.Option("--protocol", help="Name of the protocol; `kpdetect benchmark list` shows them.")]
Test = Annotated[
    bool,
    typer.Option(
        "--test/--cross-validate",
        help="--test measures on the test images, for a report. --cross-validate leaves them out, for choosing a model.",
    ),
]
Cells = Annotated[
    list[str] | None,
    typer.Option(
        "--cells", metavar="PATTERN", help="Train only the cells that fit this pattern, for example k06-*; repeatable."
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Number of cells to train at the same time.")]
Keypoints = Annotated[
    int, typer.Option("--keypoints", "-k", help="Number of keypoints; ignored where the table varies this number.")
]
Size = Annotated[int, typer.Option(help="Side of the generated images: 32, 64, 128, 256 or 512.")]
Refine = Annotated[bool, typer.Option("--refine/--no-refine", help="Train the detectors on the real images too.")]
Count = Annotated[
    int, typer.Option("--count", min=2, help="Number of generated images to compare with real ones; the paper uses 50,000.")
]
FeaturesName = Annotated[
    str,
    typer.Option(
        help="Network that the images are compared by: imagenet (extra: imagenet), random, or a file of Inception's weights."
    ),
]


def ablate(
    table: Annotated[TableName, typer.Argument(help="Table of the paper.")],
    images: Images,
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
    """Make one of the paper's ablation tables from your own images. Every cell is trained in a separate process."""
    run(**locals())


def ladder(
    images: Images,
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
    """Train the tuned generator, remove its parts one by one, and measure each step, as `kpdetect ablate table3`."""
    run(TableName.table3, **locals())


def run(table: TableName, images: Path, out: Path, cells: list[str] | None, jobs: int, **chosen: Any) -> None:
    """Train the cells of a table and print its path. `chosen` holds the options that all cells share."""
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
