"""The command line of the validation of the verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import benchmarks.validation
from kpdetect.module_command import exit_code, module_parser

POINT_EVIDENCE = ("noise", "view error", "motion", "confidence")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the lines of a table and print rank correlations; return exit code 2 for bad input."""
    parser = module_parser("benchmarks.validation", benchmarks.validation.__doc__)
    parser.add_argument("table", type=Path, help="CSV with the columns category, detector, images, annotations, name, ...")
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables and the cache")
    parser.add_argument("--annotated", type=int, default=250, help="largest number of annotated images per line (default: 250)")
    options = parser.parse_args(arguments)

    def work() -> None:
        from benchmarks.validation.case import read_cases
        from benchmarks.validation.measurement import measure_case

        measured = []
        for case in read_cases(options.table):
            measured.append(measure_case(case, options.out / "cache", options.annotated))
            print(f"{case.category} {case.label}: {measured[-1]['share']:.3f} of the floor", file=sys.stderr, flush=True)
        print(_write(measured, options.out))

    return exit_code(work)


def _write(measured: list[dict[str, Any]], out: Path) -> str:
    """Write `detectors.csv` and `keypoints.csv`; return the tables of correlations."""
    from benchmarks.validation.correlations import by_state, combined, correlations, pipe_table
    from kpdetect.files.atomic import write_text

    whole = pd.DataFrame([{name: value for name, value in row.items() if name != "keypoints"} for row in measured])
    points = pd.DataFrame(
        [{"category": row["category"], "detector": row["detector"], **point} for row in measured for point in row["keypoints"]]
    )
    detectors = combined(whole, "share")
    write_text(out / "detectors.csv", detectors.to_csv(index=False))
    write_text(out / "keypoints.csv", points.to_csv(index=False))
    evidence = [str(name) for name in detectors if name not in ("category", "detector", "share")]
    tables = [
        detectors.groupby("category")["share"].agg(["size", "min", "median", "max"]),
        correlations(detectors, "share", evidence),
        correlations(points, "unexplained", POINT_EVIDENCE),
        by_state(points),
    ]
    first = f"{len(detectors)} detectors, {len(points)} keypoints; rank correlation with the error as a share of the floor"
    return "\n\n".join([first, *map(pipe_table, tables)])


if __name__ == "__main__":
    sys.exit(main())
