"""The table of the verbs of `kpdetect`. A verb's module is imported when the verb is called or listed."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from kpdetect.cli.alone import alone
from kpdetect.cli.levels import with_levels
from kpdetect.cli.together import in_one_process, together

VERBS = {
    "run": "run:command",
    "crop": "crop:command",
    "boxes": "boxes:command",
    "train-generator": "train_generator:command",
    "generate": "generate:command",
    "pseudo-label": "pseudo_label:command",
    "convert": "convert:command",
    "train-detector": "train_detector:command",
    "predict": "predict:command",
    "label": "label:command",
    "calibrate": "calibrate:command",
    "edit": "edit:command",
    "export": "export:command",
    "pack": "pack:command",
    "models": "models:command",
    "measure": "measure:command",
    "controllability": "controllability:command",
    "embeddings": "embeddings:command",
    "nearest": "nearest:command",
    "benchmark": "benchmark:command",
    "table": "table:command",
    "report": "report:command",
    "studio": "studio:command",
    "study": "study:command",
    "toy": "toy:command",
    "info": "info:command",
    "doctor": "doctor:command",
    "refine": "refine:refine",
    "imm": "refine:imm",
    "ablate": "ablate:ablate",
    "ladder": "ablate:ladder",
}
"""The module in `kpdetect.cli` and the function of each verb, in the order of the help."""
READS_IMAGES = frozenset({
    "run", "crop", "train-generator", "pseudo-label", "predict", "label", "calibrate", "edit", "export", "measure",
    "embeddings", "nearest", "benchmark", "report", "studio", "refine", "imm", "ablate", "ladder",
})  # fmt: skip
"""Verbs that have `--levels`."""
WRITES_FOLDER = frozenset({
    "run", "crop", "train-generator", "generate", "pseudo-label", "convert", "train-detector", "predict", "calibrate", "edit",
    "pack", "measure", "controllability", "embeddings", "nearest", "benchmark", "toy", "refine", "imm", "ablate", "ladder",
})  # fmt: skip
"""Verbs that lock their output folder, so that one command at a time writes into it."""
UNDER_TORCHRUN = frozenset({
    "run", "crop", "train-generator", "generate", "pseudo-label", "train-detector", "predict", "measure", "refine", "imm",
})  # fmt: skip
"""Verbs that several processes of torchrun do together."""


class Verbs(TyperGroup):
    """The group of `VERBS`. Its help shows the verbs' docstrings and does not build their options."""

    listing = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = dict.fromkeys(VERBS)  # type: ignore[assignment]  # only names, for suggestions to mistyped ones

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Build the command of a verb. Return None for an unknown verb."""
        if cmd_name not in VERBS:
            return None
        module, _, function = VERBS[cmd_name].partition(":")
        callback = getattr(import_module(f"kpdetect.cli.{module}"), function)
        if self.listing:
            return TyperCommand(cmd_name, help=inspect.cleandoc(callback.__doc__))
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        if cmd_name in WRITES_FOLDER:
            callback = alone(callback)
        callback = together(callback) if cmd_name in UNDER_TORCHRUN else in_one_process(cmd_name, callback)
        single.command(cmd_name)(with_levels(callback) if cmd_name in READS_IMAGES else callback)
        return typer.main.get_command(single)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of `kpdetect`."""
        self.listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self.listing = False
