"""The studio's Project page: the progress of a project or run. Only files are read, so a running training is not disturbed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from kpdetect.errors import CheckpointError, ConfigError, InputError, KpdetectError
from kpdetect.files.atomic import read_json
from kpdetect.files.json_yaml import parse_yaml
from kpdetect.files.reading import reading
from kpdetect.inference.labels import labels_of
from kpdetect.studio.request import Call
from kpdetect.studio.workplace import Workplace
from kpdetect.training.checkpoints import REFINED, WEIGHTS, detector_stages, find_weights, round_number
from kpdetect.training.progress_note import NOTE
from kpdetect.training.run_folder import read_metrics

SHOWN_POINTS = 300
"""Largest number of points of a curve."""
SILENT_SECONDS = 90
"""A run that has not written its progress for this many seconds counts as stopped. A single step may be slow."""
NOT_PLOTTED = frozenset({"step", "images", "seconds", "rate"})
REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"


class ProjectRoom:
    """Answers the requests of the Project page about a project or a single run folder."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace

    def describe(self, call: Call) -> dict[str, Any]:
        """Return the stages, the present progress, the curves and the sample sheets."""
        folder = self.workplace.folder
        if folder is None:
            return {"folder": None, "target": str(self.workplace.target or "")}
        stages = [self._stage(folder, name) for name in _stages(folder)]
        return {
            "folder": str(folder),
            "now": _now(folder),
            "stages": [stage for stage in stages if stage is not None],
            "pairs": (folder / "pairs" / "manifest.json").is_file(),
            "predictions": (folder / "predictions" / "predictions.csv").is_file(),
            "report": (folder / "report" / "index.html").is_file(),
            "verdict": _verdict(folder),
            **_detector(folder),
        }

    def sheet(self, call: Call) -> Response:
        """Return a sample sheet of a stage."""
        folder = self._required()
        stage, step = str(call.path["stage"]), int(call.path["step"])
        if stage not in _stages(folder):
            raise InputError(f"{stage}: no stage of this project")
        path = self.workplace.inside(_at(folder, stage) / "samples" / f"{step:07d}.png")
        if not path.is_file():
            raise InputError(f"{stage}: no sample sheet of step {step}")
        return FileResponse(path, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})

    def report(self, call: Call) -> Response:
        """Return the finished report. The page is not allowed to load anything from elsewhere."""
        path = self.workplace.inside(self._required() / "report" / "index.html")
        if not path.is_file():
            raise InputError("no report yet; `kpdetect run` writes it when it is through")
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    def _required(self) -> Path:
        if self.workplace.folder is None:
            raise InputError("the studio was not opened on a project")
        return self.workplace.folder

    def _stage(self, folder: Path, name: str) -> dict[str, Any] | None:
        where = _at(folder, name)
        if not where.is_dir():
            return None
        metrics = read_metrics(where / "metrics.jsonl")
        last: dict[str, Any] = next((line for line in reversed(metrics) if "images" in line), {})
        sheets = sorted(int(path.stem) for path in (where / "samples").glob("*.png") if path.stem.isdigit())
        return {
            "name": name,
            "title": _title(name),
            "finished": (where / WEIGHTS).is_file(),
            "step": last.get("step"),
            "images": last.get("images"),
            "rate": last.get("rate"),
            "minutes": None if "seconds" not in last else round(last["seconds"] / 60, 1),
            "steps": _steps(where),
            "curves": _curves(metrics),
            "sheets": sheets,
            "quiet": None if not metrics else round(time.time() - (where / "metrics.jsonl").stat().st_mtime),
        }


def _verdict(folder: Path) -> list[str]:
    """Return the sentences of the verdict; empty if the project has none."""
    if not (folder / "verdict.json").is_file():
        return []
    from benchmarks.studies.judging import describe_verdict

    return [line.strip() for line in describe_verdict(folder).splitlines()[1:]]


def _detector(folder: Path) -> dict[str, Any]:
    """Return whether the project has a detector, and how many of its keypoints have names."""
    try:
        weights = find_weights(folder, "detector")
        return {"detector": True, "named": len(labels_of(weights).names)}
    except CheckpointError:
        return {"detector": False, "named": 0}
    except ConfigError:
        return {"detector": True, "named": 0}  # the Name page shows the error


def _stages(folder: Path) -> list[str]:
    """List the training stages of a project that have begun. A single run folder is its only stage."""
    return ["."] if (folder / "metrics.jsonl").is_file() else ["generator", *detector_stages(folder)]


def _at(folder: Path, stage: str) -> Path:
    return folder if stage == "." else folder / stage


def _title(name: str) -> str:
    if (number := round_number(name)) is not None:
        return f"Round {number} of self-training"
    return {".": "This run", REFINED: "Training on the real images"}.get(name, f"Training of the {name}")


def _now(folder: Path) -> dict[str, Any] | None:
    """Return the progress that the run wrote last, and how long ago; None if nothing is running."""
    try:
        note = read_json(folder / NOTE)
        with reading(folder / NOTE):
            silent = round(time.time() - float(note["time"]))
            return {**note, "silent": silent, "stopped": silent > SILENT_SECONDS}
    except KpdetectError:
        return None


def _steps(where: Path) -> int | None:
    """Return the number of steps that a run is to train; None if time ends the run, or if the number is unknown."""
    from kpdetect.training.loop import UNLIMITED

    try:
        with reading(where / "config.yaml"):
            steps = int(parse_yaml((where / "config.yaml").read_text(encoding="utf-8"))["steps"])
    except KpdetectError:
        return None
    return steps if steps < UNLIMITED else None


def _curves(metrics: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """Return the curve of every logged number over the steps.

    Of long curves, evenly spread points and the last one are returned.
    """
    names = dict.fromkeys(name for line in metrics for name, value in line.items() if isinstance(value, int | float))
    curves = {}
    for name in names:
        if name not in NOT_PLOTTED:
            points = [[line["step"], line[name]] for line in metrics if isinstance(line.get(name), int | float)]
            every = -(-len(points) // SHOWN_POINTS)
            curves[name] = points[::-every][::-1] if points else []
    return curves
