"""Train and measure the unfinished cells of a comparison, and write its table after each of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.comparison.config import ComparisonConfig
from benchmarks.comparison.score import Score, baseline_score, model_score, read_fitting
from kpdetect.config import leaves, read_config
from kpdetect.errors import KpdetectError
from kpdetect.files.atomic import read_json, replacing, write_json, write_text
from kpdetect.files.folders import make_folder
from kpdetect.messages import log
from kpdetect.project.config import project_config
from kpdetect.project.pipeline import run_project
from kpdetect.training.run_folder import CONFIG, RunFolder, environment, hardware_line, has_begun
from kpdetect.training.runtime import Runtime

TABLE = "comparison"
FREE, GROWING = ("methods", "baselines"), ("sets", "budgets")
"""The keys that may change when a comparison is continued, and those to which names may be added or whose names may be removed.
Finished cells are kept."""
SPENT = "spent.json"
"""Seconds and CPU seconds of a cell so far, over all calls, beside its project."""
Report = Callable[[str], object]


class Cell(NamedTuple):
    """A cell: a method with a budget on a set, or a baseline, which has no budget."""

    images: str
    method: str
    budget: str

    @property
    def path(self) -> Path:
        """The file of the result, relative to OUT."""
        folder = Path("cells") / self.images
        return folder / f"{self.method}-{self.budget}" / "cell.json" if self.budget else folder / f"{self.method}.json"


def cells_of(config: ComparisonConfig) -> Iterator[Cell]:
    """List the cells: all baselines, then the methods, the first budget first."""
    for baseline in config.baselines:
        yield from (Cell(name, baseline, "") for name in config.sets)
    for budget in config.budgets:
        for method in config.methods:
            yield from (Cell(name, method, budget) for name in config.sets)


def compare(config: ComparisonConfig, out: Path, runtime: Runtime, report: Report = log.info) -> Path:
    """Train and measure every unfinished cell, and return the path of the Markdown table.

    A cell that fails is reported and left out of the table. The same call tries it again. The times of a cell are those of all
    calls that trained it, and include those of the cell that it continues.

    Args:
        config: the settings.
        out: folder of the comparison.
        runtime: device and precision.
        report: function that gets a line per cell.

    Raises:
        InputError, FormatError: the annotations of a set cannot be used. All sets are read before the first training.
        ConfigError: `out` holds a comparison with other settings. Sets, budgets, methods and baselines may be added.
    """
    fitting = {name: read_fitting(given) for name, given in config.sets.items()}
    make_folder(out)
    RunFolder(out, config, exempt=[*FREE, *_added(out, config)])
    for cell in cells_of(config):
        if (out / cell.path).exists():
            continue
        before = _budget_before(cell, config)
        if before is not None and not (out / before.path).exists():
            report(f"{' '.join(cell)}: waits for {before.budget}, which it continues")
            continue
        try:
            with _timed(out / cell.path if cell.budget else None) as spent:
                score = _measured(cell, before, config, out, runtime, fitting)
        except KpdetectError as error:
            report(f"{' '.join(cell)}: failed: {error}")
            continue
        row = {**cell._asdict(), "share_of_floor": round(score.share, 4), **asdict(score)}
        earlier = read_json(out / before.path) if before is not None else dict.fromkeys(spent, 0.0)
        row |= {name: round(earlier[name] + value, 1) for name, value in spent.items()}
        row |= {"images_fitted": len(fitting[cell.images].paths), "seed": config.seed, "environment": environment()}
        write_json(out / cell.path, row)
        write_table(config, out)
        report(f"{' '.join(cell)}: {score.share:.2f} of the floor")
    return write_table(config, out)


def _added(out: Path, config: ComparisonConfig) -> Iterator[str]:
    """Yield the keys of the sets and budgets that are in only one of the settings in `out` and the new ones."""
    if not has_begun(out):
        return
    old = read_config(ComparisonConfig, out / CONFIG)
    for key in GROWING:
        for one, other in ((getattr(old, key), getattr(config, key)), (getattr(config, key), getattr(old, key))):
            for name in one.keys() - other.keys():
                yield from (leaf for leaf, _ in leaves(one[name].model_dump(mode="json"), f"{key}.{name}."))


@contextmanager
def _timed(cell: Path | None) -> Iterator[dict[str, float]]:
    """Fill a dictionary with the seconds and CPU seconds of the `with` block, after those of interrupted calls.

    Args:
        cell: file of a cell whose project may be continued, so that its times are kept beside it; None for another cell.
    """
    path = None if cell is None else cell.with_name(SPENT)
    earlier = read_json(path) if path is not None and path.exists() else {}
    began, used, spent = time.monotonic(), time.process_time(), dict[str, float]()
    try:
        yield spent
    finally:
        now = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - used}
        spent |= {name: earlier.get(name, 0.0) + value for name, value in now.items()}
        if path is not None:
            write_json(path, spent)


def _budget_before(cell: Cell, config: ComparisonConfig) -> Cell | None:
    """Return the cell whose project this one continues; None if it begins a project of its own."""
    place = list(config.budgets).index(cell.budget) if cell.budget and config.continues else 0
    return cell._replace(budget=list(config.budgets)[place - 1]) if place else None


def _measured(
    cell: Cell, before: Cell | None, config: ComparisonConfig, out: Path, runtime: Runtime, fitting: dict[str, Any]
) -> Score:
    if not cell.budget:
        return baseline_score(cell.method, fitting[cell.images])  # type: ignore[arg-type]
    given, budget = config.sets[cell.images], config.budgets[cell.budget]
    settings = project_config(
        size=config.size,
        keypoints=config.keypoints,
        crop=given.crop,
        seed=config.seed,
        method=cell.method,  # type: ignore[arg-type]
    )
    project = _project(out, cell)
    if before is not None and not project.exists():
        copied = make_folder(project.parent) / "copied"
        shutil.rmtree(copied, ignore_errors=True)  # of an interrupted call
        shutil.copytree(_project(out, before), copied)
        copied.rename(project)
    run_project(
        given.images,
        project,
        settings,
        orientation=given.orientation,
        minutes=budget.minutes,
        overrides=budget.overrides.get(cell.method, ()),  # type: ignore[call-overload]
        exclude_lists=given.exclude,
        last="detector",
        device=runtime,
    )
    return model_score(project, fitting[cell.images], runtime.device.type)


def _project(out: Path, cell: Cell) -> Path:
    return (out / cell.path).parent / "project"


COLUMNS = (
    "images", "method", "budget", "share_of_floor", "error_percent", "floor_percent", "seconds", "cpu_seconds",
    "images_fitted", "seed", "commit", "hardware",
)  # fmt: skip


def write_table(config: ComparisonConfig, out: Path) -> Path:
    """Write the finished cells as CSV and as a Markdown table with a column per set. Return the path of the latter."""
    rows = [_flat(read_json(out / cell.path)) for cell in cells_of(config) if (out / cell.path).exists()]
    with replacing(out / f"{TABLE}.csv") as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False)
    path = out / f"{TABLE}.md"
    write_text(path, "\n".join(_markdown(config, rows)) + "\n")
    return path


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    made = row["environment"]
    return {**row, "commit": made["commit"], "hardware": hardware_line(made["hardware"])}


def _markdown(config: ComparisonConfig, rows: list[dict[str, Any]]) -> Iterator[str]:
    known = {(row["method"], row["budget"], row["images"]): row for row in rows}
    yield "| method | budget | " + " | ".join(config.sets) + " |"
    yield "|---" * (2 + len(config.sets)) + "|"
    floors = {row["images"]: f"{row['floor_percent']:.2f} %" for row in rows}
    yield "| mean shape, % of the side | | " + " | ".join(floors.get(name, "") for name in config.sets) + " |"
    for method, budget in dict.fromkeys((cell.method, cell.budget) for cell in cells_of(config)):
        found = (known.get((method, budget, name)) for name in config.sets)
        cells = [f"{row['share_of_floor']:.2f} ({row['cpu_seconds']:,.0f} s)" if row else "not run" for row in found]
        yield f"| {method} | {budget} | " + " | ".join(cells) + " |"
    commits = sorted({row["commit"] for row in rows})
    yield ""
    yield "The error as a share of the mean shape's error, and in brackets the CPU time of the cell. Five folds inside the"
    yield f"fitting images, ridge regression with a constant term, seed {config.seed}, commit {', '.join(commits)}."
    yield from sorted({row["hardware"] for row in rows})
