"""`kpdetect ablate` and `kpdetect ladder`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options


class TableName(str, Enum):
    """Tables of the paper."""

    table2 = "table2"
    table3 = "table3"
    table6 = "table6"
    table7 = "table7"
    table8 = "table8"
    table9 = "table9"


Images = Annotated[Path, typer.Argument(help="Folder of unlabelled images, searched recursively.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="The annotated data set, in its official layout; without it only images are measured."),
]
MinutesEach = Annotated[float, typer.Option("--minutes-each", min=0, help="Training minutes of each cell.")]
ProtocolName = Annotated[str, typer.Option("--protocol", help="A named protocol; kpdetect benchmark list.")]
Test = Annotated[
    bool, typer.Option("--test/--cross-validate", help="Read the test images, to report; or not, to choose by the table.")
]
Cells = Annotated[list[str] | None, typer.Option("--cells", metavar="PATTERN", help="Only these cells, as k06-*; repeatable.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Cells trained at the same time.")]
Keypoints = Annotated[int, typer.Option("--keypoints", "-k", help="Number of keypoints, where the table does not vary it.")]
Size = Annotated[int, typer.Option(help="Side of the generated images: 32, 64, 128, 256 or 512.")]
Refine = Annotated[bool, typer.Option("--refine/--no-refine", help="Train the detectors on the real images too.")]
Count = Annotated[int, typer.Option("--count", min=2, help="Generated images of the distance; the paper takes 50,000.")]
FeaturesName = Annotated[str, typer.Option(help="imagenet (extra: imagenet), random, or a file of Inception's weights.")]


def ablate(
    table: Annotated[TableName, typer.Argument(help="Which of the paper's tables.")],
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
    set_: options.Set = None,
) -> None:
    """One of the paper's ablation tables on one's own images: trains every cell in a process of its own."""
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
    set_: options.Set = None,
) -> None:
    """Train the tuned model and with less and less of it, and measure what each step is worth: `kpdetect ablate table3`."""
    run(TableName.table3, **locals())


def run(table: TableName, images: Path, out: Path, cells: list[str] | None, jobs: int, **chosen: Any) -> None:
    """Train and print a table; `chosen` are the options that are the same for every cell."""
    from benchmarks.ablations.config import AblationConfig
    from benchmarks.ablations.run import run_ablation
    from kpdetect.config import build_config

    values = {name: value.value if isinstance(value, Enum) else value for name, value in chosen.items()}
    values |= {"images": str(images.resolve()), "data": str(values["data"].resolve()) if values["data"] else ""}
    values |= {"refined": values.pop("refine"), "overrides": tuple(values.pop("set_") or ())}
    values["exclude_lists"] = tuple(str(path.resolve()) for path in values.pop("exclude_list") or ())
    config = build_config(AblationConfig, values, source="ablate")
    path = run_ablation(table.value, out, config, cells=cells or (), jobs=jobs)
    print(f"table: {path}")
