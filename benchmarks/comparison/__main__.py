"""The command line of the comparison of methods."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison. Return exit code 2 for bad input."""
    import benchmarks.comparison
    from benchmarks.comparison.config import read_comparison
    from benchmarks.comparison.run import compare
    from kpdetect.console import console
    from kpdetect.errors import KpdetectError
    from kpdetect.training.runtime import resolve_runtime

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison",
        description=benchmarks.comparison.__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("settings", type=Path, help="YAML file of the sets, methods and budgets")
    parser.add_argument("out", type=Path, help="folder of the results; the same command continues them")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args(arguments)
    try:
        with console():
            runtime = resolve_runtime(options.device)
            table = compare(read_comparison(options.settings), options.out, runtime, partial(print, flush=True))
    except KpdetectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(table.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
