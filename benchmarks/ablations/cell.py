"""One cell of an ablation table, in a separate process.

The process trains a generator, draws image-keypoint pairs, and trains a detector on them. It measures the detector's error, the
Frechet distance of the generated images, and whether the keypoints control the image.

    python -m benchmarks.ablations.cell OUT NAME

OUT/cells/NAME is a project of `kpdetect run`; `cell.json` describes the training, `measured.json` holds the results. A
repeated call waits for a running call and then continues its work.

The process ends when its parent ends, even if the parent is killed. Otherwise an orphaned process and a repeated command would
train in the same folder.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ablations.config import CONFIG, DESCRIPTION, MEASURED, AblationConfig, cell_folder
from benchmarks.ablations.tables import Cell
from benchmarks.benchmarking.benchmark import benchmark
from benchmarks.benchmarking.model_choice import cross_validate_model
from benchmarks.measurement_records import ABLATION_CELL
from benchmarks.metrics.extractors import build_extractor
from benchmarks.metrics.frechet import frechet_distance
from benchmarks.studies.controllability import measure_control
from benchmarks.studies.real_images import read_squares
from generator.architectures import Architecture
from generator.stream import PairStream
from kpdetect.config import apply_overrides, read_config
from kpdetect.files.atomic import read_json, write_json
from kpdetect.files.hashes import file_hash
from kpdetect.files.lock import locked
from kpdetect.inference.predictor import Predictor
from kpdetect.module_command import exit_code
from kpdetect.project.budget import share_of
from kpdetect.project.config import ProjectConfig, project_config
from kpdetect.project.pipeline import run_project
from kpdetect.training.checkpoints import find_weights
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime, resolve_runtime

ATTENDED = "--attended"
"""Argument of a process that must end with its parent. Its standard input is a pipe that the parent keeps open."""


def end_with_parent() -> None:
    """Terminate this process, as `kill` does, when its standard input closes."""
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


CONTROL_PAIRS = 200


def describe_cell(out: Path, cell: Cell) -> None:
    """Write the description that the cell's process reads."""
    write_json(cell_folder(out, cell.name) / DESCRIPTION, asdict(cell))


def check_cell(config: AblationConfig, cell: Cell) -> None:
    """Check that a training can start with the settings.

    Raises:
        ConfigError: a setting is invalid; the message names it.
    """
    apply_overrides(cell_config(config, cell), [*config.overrides, *cell.overrides])


def cell_config(config: AblationConfig, cell: Cell) -> ProjectConfig:
    """Return the configuration of a cell's project, before its overrides."""
    model: Architecture = cell.model  # type: ignore[assignment]
    keypoints = cell.keypoints or config.keypoints
    return project_config(
        config.preset, config.size, keypoints, config.crop, config.seed, refined=config.refined, model=model, rounds=0
    )


def run_cell(out: Path, name: str) -> None:
    """Train and measure one cell.

    Raises:
        KpdetectError: as `run_project` and the measures.
    """
    config, folder = read_config(AblationConfig, out / CONFIG), cell_folder(out, name)
    described = read_json(folder / DESCRIPTION)
    cell = Cell(**{**described, "overrides": tuple(described["overrides"])})
    detected = bool(config.data) and cell.located
    run_project(
        Path(config.images),
        folder,
        cell_config(config, cell),
        minutes=config.minutes_each * (share_of("generator", config.refined) if config.data and not detected else 1),
        exclude_lists=[Path(path) for path in config.exclude_lists],
        device=resolve_runtime(config.device, config.precision),
        overrides=[*config.overrides, *cell.overrides],
        last="detector" if detected else "generator",
    )
    runtime = resolve_runtime(config.device, config.precision)
    stream = PairStream(folder, runtime, seed=config.seed)
    numbers: dict[str, Any] = measured_error(config, folder) if detected else {}
    numbers["distance"] = measured_distance(config, stream, runtime)
    if detected:
        numbers["control"] = asdict(measure_control(stream, Predictor.load(folder, runtime.device.type), CONTROL_PAIRS))
    provenance = {
        "generator": stream.hash,
        "detector": file_hash(find_weights(folder, "detector")) if detected else None,
        "images_seen": stream.description.images_seen,
        "generator_minutes": stream.description.minutes,
        "environment": environment(),
    }
    write_json(folder / MEASURED, {"schema": ABLATION_CELL} | numbers | provenance)


def measured_error(config: AblationConfig, folder: Path) -> dict[str, Any]:
    """Measure the error of the protocol's main regression with its interval or spread, and the error of the mean shape (floor).

    If the main regression has no bias, the error with bias is measured too.
    """
    import pandas as pd

    data, results = Path(config.data), folder / "results"
    if config.test:
        result = benchmark(config.protocol, folder, data, results, baselines=False).result
        rows = [{**vars(row), "headline": row.headline} for row in result.rows if row.kind in ("model", "floor")]
        source = {"measured_on": f"{result.fitted:,} images of {result.data} fitted, {result.tested:,} tested"}
    else:
        path = cross_validate_model(config.protocol, folder, data, results).path
        rows = pd.read_csv(path).to_dict("records")  # type: ignore[assignment]
        for row in rows:
            row["headline"] = row["regression"].endswith(" (headline)")
            row["kind"] = "floor" if row["method"] == "mean shape" else "model"
        source = {"measured_on": f"cross-validation inside {path.name.split('_')[1]}'s fitting images"}
    model, floor = (next(row for row in rows if row["kind"] == kind and row["headline"]) for kind in ("model", "floor"))
    frame = model["regression"].partition(",")[0]
    others = [row for row in rows if row["kind"] == "model" and not row["headline"]]
    biased = [row for row in others if row["regression"] == f"{frame}, with bias"]
    return source | {
        "error": model["mean_of_ratios"],
        "error_interval": list(model.get("interval95", ())),
        "error_spread": model.get("spread"),
        "error_with_bias": biased[0]["mean_of_ratios"] if biased else None,
        "error_floor": floor["mean_of_ratios"],
    }


def measured_distance(config: AblationConfig, stream: PairStream, runtime: Runtime) -> float:
    """Measure the Frechet distance between generated and real images in the configured features."""
    names = config.image_names(report=False)
    chosen = [
        Path(config.images, names[index])
        for index in np.random.default_rng(config.seed).permutation(len(names))[: config.count]
    ]
    extractor = build_extractor(config.features, runtime.device)
    drawn = extractor(batch.images for batch in stream.batches(0, config.count))
    return frechet_distance(drawn, extractor([read_squares(chosen, stream).images]))


def main() -> int:
    """Run the command; print an error of the user as one line."""
    out, name, *attended = sys.argv[1:]
    if attended == [ATTENDED]:
        end_with_parent()
    return exit_code(lambda: _run(Path(out), name))


def _run(out: Path, name: str) -> None:
    with locked(cell_folder(out, name)):
        run_cell(out, name)


if __name__ == "__main__":
    sys.exit(main())
