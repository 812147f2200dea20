"""Options that several verbs share, each described once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.errors import InputError

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results. Repeating the command continues.")]
Minutes = Annotated[float | None, typer.Option(min=0, help="Stop after this many minutes, over all continuations.")]
Seed = Annotated[int, typer.Option(min=0, help="Everything random follows from it.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one configuration value; repeatable.")
]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="YAML configuration to start from, instead of a preset.")
]
Exclude = Annotated[
    list[Path] | None,
    typer.Option("--exclude-list", metavar="FILE", help="Text file of image names never to train on; repeatable."),
]
InitFrom = Annotated[
    Path | None,
    typer.Option("--init-from", metavar="MODEL", help="Weights file, run folder or project that a new run starts from."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at an unreadable image instead of skipping it.")]


class Method(str, Enum):
    """How keypoints are discovered."""

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
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(str, Enum):
    """What to compute in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


class CropName(str, Enum):
    """Crop policies."""

    centre = "centre"
    pad = "pad"
    stretch = "stretch"


PresetOption = Annotated[Preset, typer.Option("--preset", help="Network widths and schedule; tiny and small suit a CPU.")]
ModelOption = Annotated[
    Model, typer.Option("--model", help="The generator's architecture: the tuned one, with less and less of it, or the base.")
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where to compute.")]
PrecisionOption = Annotated[Precision, typer.Option("--precision", help="bfloat16 is faster where the hardware has it.")]
CompileOption = Annotated[
    bool,
    typer.Option("--compile", help="Compile the networks (torch.compile): minutes at the start; measure, CPUs can be slower."),
]
TensorboardOption = Annotated[
    bool, typer.Option("--tensorboard", help="Write metrics as TensorBoard events too, in RUN/events (extra: tensorboard).")
]
CropOption = Annotated[
    CropName, typer.Option("--crop", help="Which part of a picture is seen: its centre square, all of it padded, or stretched.")
]


def assignments(context: typer.Context, fields: Mapping[str, str]) -> list[str]:
    """Assignments `field=value` of options; beside --config only of those that were given, so that the file stands.

    Args:
        context: of the command.
        fields: the configuration's field of each option.
    """
    chosen = [name for name in fields if context.params["config"] is None or _is_given(context, name)]
    values = {name: context.params[name] for name in chosen}
    return [f"{fields[name]}={getattr(value, 'value', value)}" for name, value in values.items()]


def refuse_beside_config(context: typer.Context, *names: str) -> None:
    """Stop where an option was given that --config decides.

    Raises:
        InputError: naming it.
    """
    for name in names:
        if context.params["config"] is not None and _is_given(context, name):
            raise InputError(f"--{name}: cannot be given beside --config; change it in the file, or take --set")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
