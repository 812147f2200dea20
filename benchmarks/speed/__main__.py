"""The command line of the speed benchmarks."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

import benchmarks.speed
from kpdetect.module_command import exit_code, module_parser

PARTS = {name: f"benchmarks.speed.{name}" for name in ("generator", "counts", "data", "pairs", "inference", "scale")}
PARTS |= {"predict": "benchmarks.speed.predict_stages", "reduced": "benchmarks.speed.reduced_decoding"}
PARTS["all"] = "benchmarks.speed.everything"
"""The module of each part."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measurements; return exit code 1 if a row is slower than in an earlier table, 2 for bad input."""
    parser = module_parser("benchmarks.speed", benchmarks.speed.__doc__)
    choices = parser.add_subparsers(dest="part", required=True)
    for part, name in PARTS.items():
        module = import_module(name)
        choice = choices.add_parser(part, help=(module.__doc__ or "").splitlines()[0])
        module.add_arguments(choice)
        choice.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args(arguments)

    def work() -> int:
        from kpdetect.files.atomic import write_json
        from kpdetect.training.run_folder import environment

        print(f"machine: {json.dumps(environment())}", flush=True)
        measured = import_module(PARTS[options.part]).run(options, partial(print, flush=True))
        if options.out is not None:
            write_json(options.out, {**measured, "environment": environment()})
        return 1 if measured.get("slower") else 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
