"""Options that several verbs share, each described once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpdetect.errors import InputError

if TYPE_CHECKING:
    from kpdetect.training.price import Price
    from kpdetect.training.runtime import Runtime

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results. The same command again continues there.")]
Minutes = Annotated[float | None, typer.Option(min=0, help="Stop after this many minutes, summed over all continuations.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random numbers. The same seed gives the same results.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one value of the configuration, for example seed=3; repeatable."),
]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="YAML configuration to start from, in place of a preset.")
]
Exclude = Annotated[
    list[Path] | None,
    typer.Option("--exclude-list", metavar="FILE", help="Text file of image names to leave out, one per line; repeatable."),
]
InitFrom = Annotated[
    Path | None,
    typer.Option(
        "--init-from", metavar="MODEL", help="Weights file, run folder or project folder whose weights to start from."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at an unreadable image instead of skipping it.")]


class Method(str, Enum):
    """Methods of discovering keypoints."""

    gan = "gan"
    imm = "imm"


class Preset(str, Enum):
    """Sizes of network and schedule."""

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


PresetOption = Annotated[
    Preset, typer.Option("--preset", help="Widths of the networks and length of the training; tiny and small suit a CPU.")
]
ModelOption = Annotated[
    Model,
    typer.Option("--model", help="Architecture of the generator. From tuned to base, each name leaves one more part out."),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Device to compute on.")]
PrecisionOption = Annotated[
    Precision, typer.Option("--precision", help="Number format. bfloat16 is faster on hardware that supports it.")
]
EngineOption = Annotated[
    Engine, typer.Option("--engine", help="Library that runs the network: torch, onnx (onnxruntime), or auto, the faster one.")
]
CompileOption = Annotated[
    bool,
    typer.Option(
        "--compile", help="Compile the networks (torch.compile). This takes minutes at the start and can be slower on a CPU."
    ),
]
TensorboardOption = Annotated[
    bool, typer.Option("--tensorboard", help="Also write metrics as TensorBoard events, in RUN/events (extra: tensorboard).")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Forecast the course and needs of the training on this machine, and stop. Nothing is written."
    ),
]
CropOption = Annotated[
    CropName,
    typer.Option("--crop", help="How an image becomes square: cut out its centre, pad it, or stretch it."),
]


def assignments(context: typer.Context, fields: Mapping[str, str]) -> list[str]:
    """Turn options into assignments `field=value`. With --config, options left at their default are ignored.

    Args:
        context: context of the command.
        fields: the field of the configuration that each option sets.
    """
    chosen = [name for name in fields if context.params["config"] is None or is_given(context, name)]
    values = {name: context.params[name] for name in chosen}
    return [f"{fields[name]}={getattr(value, 'value', value)}" for name, value in values.items()]


def refuse_with_config(context: typer.Context, *names: str) -> None:
    """Refuse options that --config decides.

    Raises:
        InputError: one of the options is on the command line, as well as --config.
    """
    for name in names:
        if context.params["config"] is not None and is_given(context, name):
            raise InputError(f"--{name}: cannot be combined with --config; change the value in the file, or use --set")


def is_given(context: typer.Context, name: str) -> bool:
    """Tell whether an option is on the command line, and not at its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def print_price(price: Price, runtime: Runtime) -> None:
    """Print the forecast of a dry run, in one process, with options in place of parameters."""
    from kpdetect.cli.main import with_flags

    if runtime.is_main:
        for _, line in price.lines:
            print(with_flags(line))
