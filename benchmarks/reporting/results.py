"""The sections of the page about results, one per protocol and data set.

A section has a table, the errors as histograms and curves, and the images with the best, median and worst predictions.
"""

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
"""Number of images in each of the groups best, median and worst."""


def result_sections(paths: Sequence[Path], *, allow_contaminated: bool) -> list[dict[str, Any]]:
    """Build the sections of result files for the template.

    Raises:
        InputError: a result is contaminated and not allowed.
        FormatError: a file is damaged.
    """
    if not paths:
        return []
    return [_section(table) for table in tables(read_measurements(paths, allow_contaminated=allow_contaminated))]


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
        "notes": [_plain(note) for note in table.notes],
        "charts": _charts(group),
        "models": [_model(measured, name) for measured, name in _named(group) if measured.result.model is not None],
    }


def _named(group: Sequence[Measurement]) -> list[tuple[Measurement, str]]:
    return list(zip(group, method_names([measured.result for measured in group]), strict=True))


def _charts(group: Sequence[Measurement]) -> list[dict[str, str]]:
    """Draw histograms and PCK curves (percentage of correct keypoints) of all models of a table.

    The curves of the other methods come from the first result that has a table of errors.
    """
    known = [(measured.result, measured.errors, name) for measured, name in _named(group) if measured.errors is not None]
    if not known:
        return []
    result, metric = known[0][0], known[0][0].metric
    models = [(shown, errors, name) for shown, errors, name in known if shown.model is not None]
    histograms = [_histogram(shown, errors, name) for shown, errors, name in models]
    of_models = {name: next(iter(errors.errors.values())) for _, errors, name in models}
    floor = next(row.method for row in result.headline if row.kind == "floor")
    others = {row.method: known[0][1].errors[row.method] for row in result.headline if row.kind != "model"}
    charts = [{"title": "PCK curves", "source": pck_curves(of_models | others, floor, float(result.thresholds[-1]), metric)}]
    if histograms:
        charts.insert(0, {"title": "Histogram of errors", "source": error_histograms(histograms, metric)})
    return charts


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
    return [{"title": f"{name} test images", "source": tile_grid(group)} for name, group in tiles.items() if group]


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
    """Build the motion section from the predictions in the result's folder; None without predictions."""
    path = folder / NAME if folder else None
    if path is None or not path.is_file() or result.model is None:
        return None
    if entry_key(result.data, result.model["hash"]) not in entry_keys(path):
        return None
    predictions = read_entry(path, result.data, result.model["hash"]).predictions
    return motion_section(predictions, "the images of the benchmark")


def _plain(text: str) -> str:
    return text.replace("*", "")
