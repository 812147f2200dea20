"""The part of the page about results: a table for each protocol and data set, errors as histograms and curves, and the best,
median and worst images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.prediction_file import NAME, entry_key, entry_keys, read_entry
from benchmarks.evaluation.results import ErrorTable, Result
from benchmarks.reporting.charts import Histogram, Tile, error_histograms, motion_section, pck_curves, tile_grid
from benchmarks.tables.table import DIFFERENCES, NUMBERS, Measurement, Table, method_names, tables
from benchmarks.tables.table_files import read_measurements
from kpdetect.images.image_files import read_image

PER_GROUP = 8
"""Images of each of the groups best, median, worst."""


def result_sections(paths: Sequence[Path], *, allow_contaminated: bool) -> list[dict[str, Any]]:
    """What the template shows of result files.

    Raises:
        InputError: a contaminated result that is not allowed.
        FormatError: a file is damaged.
    """
    if not paths:
        return []
    found = read_measurements(paths, allow_contaminated=allow_contaminated)
    return [_section(table) for table in tables(found)]


def _section(table: Table) -> dict[str, Any]:
    group = table.measurements
    first = group[0].result
    return {
        "title": table.title,
        "contaminated": any(measurement.result.contaminated for measurement in group),
        "fitted": f"{first.fitted:,}",
        "tested": f"{first.tested:,}",
        "metric": first.metric,
        "header": table.header,
        "numbers": [column in NUMBERS for column in table.header],
        "headline": [line for line in table.lines if line.headline],
        "others": [line for line in table.lines if not line.headline],
        "differences_header": DIFFERENCES,
        "differences": [[_plain(cell) for cell in cells] for cells in table.differences],
        "facts": [_plain(fact) for fact in table.facts],
        "charts": _charts(group),
        "models": [_model(each, name) for each, name in _named(group) if each.result.model is not None],
    }


def _named(group: Sequence[Measurement]) -> list[tuple[Measurement, str]]:
    return list(zip(group, method_names([each.result for each in group]), strict=True))


def _charts(group: Sequence[Measurement]) -> list[dict[str, str]]:
    """Histograms and PCK curves of all models of a table; the other rows are those of the first result that has errors."""
    known = [(each.result, each.errors, name) for each, name in _named(group) if each.errors is not None]
    if not known:
        return []
    result, metric = known[0][0], known[0][0].metric
    histograms = [_histogram(each, errors, name) for each, errors, name in known if each.model is not None]
    of_models = {name: next(iter(errors.errors.values())) for each, errors, name in known if each.model is not None}
    floor = next(row.method for row in result.headline if row.kind == "floor")
    others = {row.method: known[0][1].errors[row.method] for row in result.headline if row.kind != "model"}
    found = [{"title": "PCK curves", "source": pck_curves(of_models | others, floor, float(result.thresholds[-1]), metric)}]
    if histograms:
        found.insert(0, {"title": "Histogram of errors", "source": error_histograms(histograms, metric)})
    return found


def _histogram(result: Result, errors: ErrorTable, name: str) -> Histogram:
    model, floor = (next(row for row in result.headline if row.kind == kind) for kind in ("model", "floor"))
    per_image = {row.method: np.nanmean(errors.errors[row.method], axis=1) for row in (model, floor)}
    return Histogram(
        name=name,
        errors=per_image[model.method],
        floor=per_image[floor.method],
        mean=model.mean_of_ratios,
        floor_mean=floor.mean_of_ratios,
    )


def _model(measurement: Measurement, name: str) -> dict[str, Any]:
    result, errors, folder = measurement
    motion = _motion(result, folder)
    grids = [] if errors is None else _grids(errors, Path(result.data_folder))
    return {"name": name, "grids": grids, "motion": [motion] if motion else []}


def _grids(errors: ErrorTable, folder: Path) -> list[dict[str, str]]:
    per_image = np.nanmean(next(iter(errors.errors.values())), axis=1)
    order, count = np.argsort(per_image, kind="stable"), min(PER_GROUP, len(per_image))
    middle = (len(order) - count) // 2
    groups = {"Best": order[:count], "Median": order[middle : middle + count], "Worst": order[len(order) - count :]}
    tiles = {name: _tiles(errors, rows, per_image, folder) for name, rows in groups.items()}
    return [{"title": f"{name} test images", "source": tile_grid(found)} for name, found in tiles.items() if found]


def _tiles(errors: ErrorTable, rows: NDArray[np.int64], per_image: NDArray[np.float64], folder: Path) -> list[Tile]:
    if errors.predicted_px is None:
        return []
    return [
        Tile(
            image=read_image(folder / errors.images[row]),
            predicted_px=errors.predicted_px[row],
            true_px=errors.true_px[row],
            caption=f"{per_image[row]:.1f}",
        )
        for row in rows
        if (folder / errors.images[row]).is_file()
    ]


def _motion(result: Result, folder: Path | None) -> dict[str, Any] | None:
    """Of the predictions beside the result, if there are any."""
    path = folder / NAME if folder else None
    if path is None or not path.is_file() or result.model is None:
        return None
    if entry_key(result.data, result.model["hash"]) not in entry_keys(path):
        return None
    found = read_entry(path, result.data, result.model["hash"]).predictions
    return motion_section(found.keypoints_px, found.sizes, "the images of the benchmark")


def _plain(text: str) -> str:
    return text.replace("*", "")
