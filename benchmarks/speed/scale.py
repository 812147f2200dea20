"""What very many images cost: `python -m benchmarks.speed scale --write docs/scale.md`.

Each step is measured on some thousands of images, in a process of its own. The second table multiplies by the number of images.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import benchmarks.speed.scale_steps as steps
from benchmarks.speed.everything import with_tables
from benchmarks.speed.generator import speed_markdown
from benchmarks.speed.timing import Report
from kpdetect.errors import InputError
from kpdetect.files.atomic import write_text
from kpdetect.training.run_folder import environment, hardware_line

BEGIN, END = "<!-- begin: python -m benchmarks.speed scale -->", "<!-- end: python -m benchmarks.speed scale -->"
COUNTS = (1_000_000, 10_000_000, 100_000_000)
RUN = "import json, sys; from pathlib import Path; import benchmarks.speed.scale_steps as steps\n"
RUN += "print(json.dumps(getattr(steps, sys.argv[1])(Path(sys.argv[2]), int(sys.argv[3]))))"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a step.

    Attributes:
        images: number of images, or of pairs.
        seconds: seconds of processor time.
        memory: bytes by which the step raises the peak memory of its process.
        disk: bytes of the written files.
        files: number of the written files.
    """

    images: int
    seconds: float
    memory: int = 0
    disk: int = 0
    files: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("--images", type=int, default=200_000, help="number of files to list and to write (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="Markdown page that gets the tables, such as docs/scale.md")


def run(options: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report both tables, and return the measured costs JSON-ready.

    Raises:
        InputError: the number of images is too small, or the page of `--write` has no place for the tables.
    """
    if options.images < 100:
        raise InputError(f"--images {options.images}: expected at least 100")
    if options.write is not None:
        with_tables(options.write, "", BEGIN, END)
    costs = {}
    with tempfile.TemporaryDirectory() as folder:
        few = min(options.images, 400)
        for name in steps.STEPS:
            count = few if name in ("predict", "cache", "generate") else options.images
            costs[name] = _measured(name, Path(folder), count)
            report(f"{name}: {costs[name]}")
    machine = environment()
    where = f"{hardware_line(machine.get('hardware', {}))}, commit {machine.get('commit', 'unknown')}"
    page = f"{where}\n\n{speed_markdown(measured_rows(costs))}\n\nFor N images:\n\n{speed_markdown(extrapolated_rows(costs))}"
    report("\n" + page)
    if options.write is not None:
        write_text(options.write, with_tables(options.write, page, BEGIN, END))
    return {name: asdict(cost) for name, cost in costs.items()}


def _measured(name: str, folder: Path, count: int) -> Cost:
    """Run a step in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, name, str(folder), str(count)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError(f"{name}: the measurement ended with an error: {done.stderr.strip().splitlines()[-1]}")
    return Cost(images=count, **json.loads(done.stdout.splitlines()[-1]))


def measured_rows(costs: dict[str, Cost]) -> list[dict[str, str]]:
    """Describe what was measured."""
    return [
        {
            "step": steps.STEPS[name],
            "measured on": f"{cost.images:,}",
            "processor time for each": _amount(cost.seconds / cost.images, TIMES),
            "additional memory": _amount(cost.memory, BYTES) if cost.memory else "",
            "disk for each": _amount(cost.disk / cost.images, BYTES) if cost.disk else "",
        }
        for name, cost in costs.items()
    ]


def extrapolated_rows(costs: dict[str, Cost]) -> list[dict[str, str]]:
    """Multiply the measured costs by 1, 10 and 100 million."""
    rows = []
    for name, cost in costs.items():
        for what, value, units in (
            ("processor time", cost.seconds, TIMES),
            ("disk", cost.disk, BYTES),
            ("files", cost.files, NUMBERS),
        ):
            if not value or (units is NUMBERS and name == "tables"):
                continue
            each = value / cost.images
            title = f"{steps.STEPS[name]}: {what}"
            arithmetic = f"N × {_amount(each, units)}" if units is not NUMBERS else f"N / {round(1 / each):,}"
            rows.append(_row(title, arithmetic, _times(each, units)))
        if name in ("list_for_predict", "list_for_training", "reading"):
            each = cost.memory / cost.images
            rows.append(_row(f"{steps.STEPS[name]}: memory", f"N × {_amount(each, BYTES)}", _times(each, BYTES)))
        elif name in ("tables", "parquet"):
            memory = _amount(cost.memory, BYTES)
            title = f"{steps.STEPS[name]}: memory of the first process"
            rows.append(_row(title, f"{memory}, for every N", [memory] * len(COUNTS)))
    for title in ("`predict` on a GPU", "`generate` on a GPU"):
        rows.append(_row(title, "not measured: no GPU", [""] * len(COUNTS)))
    return rows


TIMES = ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
NUMBERS = ((1.0, ""),)


def _row(what: str, arithmetic: str, amounts: Sequence[str]) -> dict[str, str]:
    """Make a row with an amount for each of `COUNTS`."""
    columns = (f"{count // 1_000_000} million" for count in COUNTS)
    return {"what": what, "arithmetic": arithmetic, **dict(zip(columns, amounts, strict=True))}


def _times(each: float, units: tuple[tuple[float, str], ...]) -> list[str]:
    """Multiply the cost of one image by each of `COUNTS`."""
    return [_amount(each * count, units) for count in COUNTS]


def _amount(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """Write a value in the largest unit of which there is at least one and a half, with two or three digits."""
    size, unit = next((item for item in units if value >= 1.5 * item[0]), units[-1])
    number = value / size
    return f"{number:,.0f} {unit}".strip() if number >= 10 or unit == "" else f"{number:.1f} {unit}"
