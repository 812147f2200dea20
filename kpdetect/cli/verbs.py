"""The table of the verbs of `kpdetect`. A verb's module is imported when the verb is called or listed."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from kpdetect.cli.folder_lock import alone
from kpdetect.cli.levels import with_levels
from kpdetect.cli.torchrun import in_one_process, together

GROUPS = {
    "Learn": {
        "run": "run:command",
        "train-generator": "train_generator:command",
        "generate": "generate:command",
        "train-detector": "train_detector:command",
        "refine": "refine:refine",
        "pseudo-label": "pseudo_label:command",
        "imm": "refine:imm",
        "crop": "crop:command",
        "boxes": "boxes:command",
    },
    "Use": {
        "predict": "predict:command",
        "label": "label:command",
        "calibrate": "calibrate:command",
        "edit": "edit:command",
        "studio": "studio:command",
        "study": "study:command",
    },
    "Measure": {
        "benchmark": "benchmark:command",
        "table": "table:command",
        "report": "report:command",
        "measure": "measure:command",
        "nearest": "nearest:command",
        "controllability": "controllability:command",
        "embeddings": "embeddings:command",
        "ablate": "ablate:ablate",
        "ladder": "ablate:ladder",
    },
    "Share": {
        "export": "export:command",
        "pack": "pack:command",
        "convert": "convert:command",
        "models": "models:command",
        "info": "info:command",
        "doctor": "doctor:command",
        "toy": "toy:command",
    },
}
"""The groups of the help, and for each verb the module in `kpdetect.cli` and the function. README has the same groups."""
VERBS = {verb: place for verbs in GROUPS.values() for verb, place in verbs.items()}
"""The module and the function of each verb, in the order of the help."""
READS_IMAGES = frozenset({
    "run", "crop", "train-generator", "pseudo-label", "predict", "label", "calibrate", "edit", "export", "measure",
    "embeddings", "nearest", "benchmark", "report", "studio", "refine", "imm", "ablate", "ladder",
})  # fmt: skip
"""Verbs with the option `--levels`."""
WRITES_FOLDER = frozenset({
    "run", "crop", "train-generator", "generate", "pseudo-label", "convert", "train-detector", "predict", "calibrate", "edit",
    "pack", "measure", "controllability", "embeddings", "nearest", "benchmark", "toy", "refine", "imm", "ablate", "ladder",
})  # fmt: skip
"""Verbs that lock their output folder, so that one command at a time writes into it."""
UNDER_TORCHRUN = frozenset({
    "run", "crop", "train-generator", "generate", "pseudo-label", "train-detector", "predict", "measure", "refine", "imm",
})  # fmt: skip
"""Verbs that the processes of torchrun share. Other verbs refuse to run under torchrun."""


class Verbs(TyperGroup):
    """The command `kpdetect` with its verbs. Its help shows the verbs' docstrings and does not build their options."""

    listing = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = dict.fromkeys(VERBS)  # type: ignore[assignment]  # only names, for suggestions to mistyped ones

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of the verbs in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Build the command of a verb. Return None for an unknown verb."""
        if cmd_name not in VERBS:
            return None
        module, _, function = VERBS[cmd_name].partition(":")
        callback = getattr(import_module(f"kpdetect.cli.{module}"), function)
        if self.listing:
            panel = next(group for group, verbs in GROUPS.items() if cmd_name in verbs)
            return TyperCommand(cmd_name, help=inspect.cleandoc(callback.__doc__), rich_help_panel=panel)
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
