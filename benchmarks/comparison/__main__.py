"""The command line of the comparison of methods."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import benchmarks.comparison
from kpdetect.module_command import exit_code, module_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison. Return exit code 2 for bad input."""
    parser = module_parser("benchmarks.comparison", benchmarks.comparison.__doc__)
    parser.add_argument("settings", type=Path, help="YAML file of the sets, methods and budgets")
    parser.add_argument("out", type=Path, help="folder of the results; the same command continues them")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args(arguments)

    def work() -> None:
        from benchmarks.comparison.config import read_comparison
        from benchmarks.comparison.run import compare
        from kpdetect.training.runtime import resolve_runtime

        runtime = resolve_runtime(options.device)
        table = compare(read_comparison(options.settings), options.out, runtime, partial(print, flush=True))
        print(table.read_text(encoding="utf-8"))

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
