"""One self-contained HTML page about a project folder: number, pictures, curves; missing parts are left out."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Tile, curves, error_histogram, latest_sheet, picture, tile_grid
from benchmarks.results import Result, read_result
from benchmarks.table import HEADER, comparison_note, facts, published_rows, row_cells, shown_rows, title
from kpdetect.checkpoints import REFINED
from kpdetect.errors import FormatError, InputError
from kpdetect.files import read_json, write_text
from kpdetect.images import read_image
from kpdetect.runlog import read_metrics

SHOWN = 24
"""Input images with predictions on the page."""
PER_GROUP = 8
"""Images of each of the groups best, median, worst."""
STAGES = ("generator", "detector", REFINED)


def write_report(project: Path, out: Path, results: Sequence[Path] = (), *, images: Path | None = None) -> Path:
    """Write the page.

    Args:
        project: folder of `kpdetect run`; any of its parts may be missing.
        out: path of the HTML file, or a folder, which then gets `index.html`.
        results: result files of `kpdetect benchmark`.
        images: folder of the predicted images; the one that the predictions name unless given.

    Returns:
        Path of the page.

    Raises:
        FormatError: a result or a predictions file is damaged.
        OutputError: the page cannot be written.
    """
    from jinja2 import Environment, StrictUndefined

    path = out if out.suffix == ".html" else out / "index.html"
    template = resources.files("benchmarks").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    sections = [
        _predictions_section(project, images),
        _samples_section(project),
        *(_curves_section(project, s) for s in STAGES),
    ]
    text = page.render(
        name=project.resolve().name,
        results=[_result_section(result) for result in results],
        sections=[section for section in sections if section["pictures"]],
        footer=_footer(project),
    )
    write_text(path, text)
    return path


def _predictions_section(project: Path, images: Path | None) -> dict[str, Any]:
    tiles = _prediction_tiles(project / "predictions", images)
    return {
        "title": "Keypoints on input images",
        "text": "Images spread evenly over the input folder. Each colour and number is one keypoint.",
        "pictures": [tile_grid(tiles)] if tiles else [],
    }


def _prediction_tiles(folder: Path, images: Path | None) -> list[Tile]:
    if not (folder / "predictions.csv").exists():
        return []
    from kpdetect.inference.predictions import Predictions

    predictions = Predictions.read(folder)
    source = images or _input_folder(folder)
    if source is None:
        return []
    count = len(predictions.images)
    chosen = np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int))
    tiles = [(source / predictions.images[index], predictions.keypoints_px[index]) for index in chosen]
    return [Tile(image=read_image(path), predicted_px=points) for path, points in tiles if path.exists()]


def _input_folder(folder: Path) -> Path | None:
    record = read_json(folder / "predictions.json")
    source = record.get("source") if isinstance(record, dict) else None
    return Path(source) if isinstance(source, str) and Path(source).is_dir() else None


def _samples_section(project: Path) -> dict[str, Any]:
    sheet = latest_sheet(project / "generator" / "samples")
    return {
        "title": "What the generator draws",
        "text": f"Sample sheet of step {int(sheet.stem):,}." if sheet and sheet.stem.isdigit() else "The latest sample sheet.",
        "pictures": [picture(read_image(sheet), longest=1200)] if sheet else [],
    }


def _curves_section(project: Path, stage: str) -> dict[str, Any]:
    drawn = curves(read_metrics(project / stage / "metrics.jsonl"))
    return {
        "title": "Training on the real images" if stage == REFINED else f"Training of the {stage}",
        "text": "Every number that was logged, over the training step.",
        "pictures": [drawn] if drawn else [],
    }


def _result_section(path: Path) -> dict[str, Any]:
    result = read_result(path)
    cells = [(row.kind, row.headline, row_cells(row)) for row in shown_rows(result)]
    return {
        "title": title(result),
        "contaminated": result.contaminated,
        "fitted": f"{result.fitted:,}",
        "tested": f"{result.tested:,}",
        "header": HEADER,
        "headline": [(kind, _plain(row)) for kind, headline, row in cells if headline],
        "others": [(kind, _plain(row)) for kind, headline, row in cells if not headline],
        "published": published_rows(result),
        "comparison": comparison_note(result).replace("*", ""),
        "facts": [fact.removeprefix("- ") for fact in facts(result)],
        **_error_pictures(result, path.with_name(f"{path.stem}-errors.csv")),
    }


def _plain(cells: Sequence[str]) -> list[str]:
    return [cell.replace("*", "") for cell in cells]


def _error_pictures(result: Result, path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"histogram": None, "grids": []}
    errors = _read_errors(path)
    per_image = errors.groupby("image")["error_percent"].mean().sort_values(kind="stable")
    levels = {row.method.split(":")[0]: row.mean_of_ratios for row in result.headline}
    order, count = list(per_image.index), min(PER_GROUP, len(per_image))
    middle = (len(order) - count) // 2
    groups = {"Best": order[:count], "Median": order[middle : middle + count], "Worst": order[-count:]}
    grids = [
        {"title": f"{name} test images", "source": tile_grid(tiles)}
        for name, names in groups.items()
        if (tiles := _error_tiles(errors, names, Path(result.data_folder)))
    ]
    return {"histogram": error_histogram(per_image.to_numpy(), levels, result.metric), "grids": grids}


def _read_errors(path: Path) -> Any:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"image": str, "landmark": str})
        return table.astype(dict.fromkeys(("x_px", "y_px", "true_x_px", "true_y_px", "error_percent"), float))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, KeyError, ValueError) as error:
        raise FormatError(f"{path}: damaged table of errors ({error}); run the benchmark again") from error


def _error_tiles(errors: Any, names: Sequence[str], folder: Path) -> list[Tile]:
    tiles = []
    for name in names:
        rows = errors[errors["image"] == name]
        if (folder / name).is_file():
            tiles.append(
                Tile(
                    image=read_image(folder / name),
                    predicted_px=rows[["x_px", "y_px"]].to_numpy(float),
                    true_px=rows[["true_x_px", "true_y_px"]].to_numpy(float),
                    caption=f"{rows['error_percent'].mean():.1f}",
                )
            )
    return tiles


def _footer(project: Path) -> str:
    parts = []
    for stage in STAGES:
        try:
            record = read_json(project / stage / "environment.json")
        except InputError:
            continue
        parts.append(f"{stage}: commit {record.get('commit')}, {record.get('time')}, {record.get('hardware')}")
    return "; ".join(parts)
