"""Options and arguments that several verbs share, each described once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpdetect.errors import InputError

if TYPE_CHECKING:
    from kpdetect.training.price import Price
    from kpdetect.training.runtime import Runtime

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder for the results. Run the same command again to continue an interrupted run.")
]
Images = Annotated[
    Path,
    typer.Argument(help="Folder of unlabelled images, searched recursively, or a tar, HDF5 or Parquet file of images."),
]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Stop after this many minutes of training, counting earlier runs of the command.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random numbers. The same seed gives the same results.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one field of the configuration, for example seed=3. Repeatable."),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="YAML file to read the configuration from, such as config.yaml of an earlier run."
    ),
]
Exclude = Annotated[
    list[Path] | None,
    typer.Option(
        "--exclude-list", metavar="FILE", help="Text file with the names of images to leave out, one per line. Repeatable."
    ),
]
InitFrom = Annotated[
    Path | None,
    typer.Option(
        "--init-from", metavar="MODEL", help="Start from the weights in this weights file, run folder or project folder."
    ),
]
Detector = Annotated[
    Path,
    typer.Argument(
        help="Trained detector: project folder, run folder, weights file, or the name of a model that comes with the package."
    ),
]
Generator = Annotated[
    Path,
    typer.Argument(
        help="Trained generator: project folder, run folder, weights file, or the name of a model that comes with the package."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first image that cannot be read, instead of skipping it.")]


class Method(str, Enum):
    """Methods of discovering keypoints, and a test that chooses one."""

    auto = "auto"
    gan = "gan"
    imm = "imm"
    correspondence = "correspondence"


class Preset(str, Enum):
    """Sizes of the networks and lengths of the training."""

    tiny = "tiny"
    small = "small"
    paper = "paper"


class Model(str, Enum):
    """Architectures of the generator."""

    tuned = "tuned"
    no_start32 = "no-start32"
    no_background = "no-background"
    no_positional = "no-positional"
    no_margin = "no-margin"
    base = "base"


class Device(str, Enum):
    """Devices to compute on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(str, Enum):
    """Number formats to compute in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


class Engine(str, Enum):
    """Implementations that compute a detector."""

    auto = "auto"
    torch = "torch"
    onnx = "onnx"
    plain = "plain"


class CropName(str, Enum):
    """Crop policies."""

    centre = "centre"
    pad = "pad"
    stretch = "stretch"


class Codec(str, Enum):
    """Encodings of images in a shard."""

    jpeg = "jpeg"
    raw = "raw"


class Orientation(str, Enum):
    """Directions of the objects in the images."""

    upright = "upright"
    any = "any"
    auto = "auto"


CodecOption = Annotated[
    Codec,
    typer.Option(
        "--codec",
        help="Encoding of the images. jpeg: quality 95 without chroma subsampling. raw: lossless, about five times larger.",
    ),
]
OrientationOption = Annotated[
    Orientation,
    typer.Option(
        "--orientation",
        help="Directions of the objects. upright: all have about the same direction, as faces have. any: all directions, as "
        "animals seen from above have. auto: test which of the two holds.",
    ),
]
PairsOrientationOption = Annotated[
    Orientation,
    typer.Option(
        "--orientation",
        help="Directions of the objects. any: the training images are turned by up to 180 degrees. upright: by a few degrees. "
        "auto: as the generator of the pairs was trained.",
    ),
]
PresetOption = Annotated[
    Preset, typer.Option("--preset", help="Size of the networks and length of the training. tiny and small suit a CPU.")
]
ModelOption = Annotated[
    Model,
    typer.Option(
        "--model",
        help="Architecture of the generator. tuned has all parts. Each further name removes one more part than the name before "
        "it. base removes all of them and trains with images that grow.",
    ),
]
DeviceOption = Annotated[
    Device, typer.Option("--device", help="Device to compute on. auto: the GPU if there is one, else the CPU.")
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision", help="Number format of the networks. auto: bfloat16 where the hardware supports it, else float32."
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="Library that runs the detector. torch: PyTorch with speed-ups. plain: PyTorch without them. "
        "onnx: onnxruntime. auto: the faster of torch and onnx.",
    ),
]
CompileOption = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the networks with torch.compile. This takes minutes at the start. "
        "On a CPU the training can become slower.",
    ),
]
TensorboardOption = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help="Also write the training metrics for TensorBoard, into OUT/events. Needs the pip extra tensorboard.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Measure this machine's speed, print the decisions of auto and the time, memory and disk that the training needs, "
        "and stop. Nothing is written.",
    ),
]
CropOption = Annotated[
    CropName,
    typer.Option(
        "--crop",
        help="How each image is made square. centre: cut out its centre. pad: add borders. stretch: change its proportions.",
    ),
]


def assignments(context: typer.Context, fields: Mapping[str, str]) -> list[str]:
    """Turn options into assignments `field=value`. With --config, only options on the command line count.

    Args:
        context: context of the command.
        fields: the field of the configuration that each option sets.
    """
    chosen = [name for name in fields if context.params["config"] is None or is_given(context, name)]
    values = {name: context.params[name] for name in chosen}
    return [f"{fields[name]}={getattr(value, 'value', value)}" for name, value in values.items()]


def refuse_with_config(context: typer.Context, *names: str) -> None:
    """Refuse options that set what the file of --config sets.

    Raises:
        InputError: the command line has both --config and one of the options.
    """
    for name in names:
        if context.params["config"] is not None and is_given(context, name):
            raise InputError(f"--{name}: cannot be combined with --config; change the value in the file, or use --set")


def is_given(context: typer.Context, name: str) -> bool:
    """Tell whether an option is given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def print_price(price: Price, runtime: Runtime, decisions: Sequence[str] = ()) -> None:
    """Print the forecast of a dry run, after decisions, from the first process only. Parameters are printed as options."""
    from kpdetect.cli.main import with_flags

    if runtime.is_main:
        for line in (*decisions, *(line for _, line in price.lines)):
            print(with_flags(line))
