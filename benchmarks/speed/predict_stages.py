"""Where `predict` spends processor time: `python -m benchmarks.speed predict`.

The table shows the seconds of processor time of each stage for 1,000 images, on small JPEG files and on photographs of 12
megapixels. Each stage runs alone with one thread. The last rows show `predict` as a whole, the share of the network in it, and
how much time the goal of `GOAL` leaves for everything else.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.generator import speed_markdown
from benchmarks.speed.prediction import FOLDERS, MODEL, draw_photographs, predicted
from benchmarks.speed.timing import Report
from kpdetect.coords import apply_affine
from kpdetect.draw import draw_overlay
from kpdetect.images.image_files import list_images, write_image
from kpdetect.images.reduced import Reduced, read_at_least
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.overlap import SMALL_BATCH
from kpdetect.inference.predictor import Fitted, Predictor
from kpdetect.training.runtime import one_thread

GOAL = 0.95
"""Wanted rate of `predict`, as a share of the rate of the network alone."""
COUNTS = {"small JPEG files": 1000, "photographs of 12 megapixels": 24}
"""Number of images of each folder. With fewer images, the fixed costs of a command would count too much."""
MAX_SIDE = PredictConfig().max_side
TURNS = 3
"""Number of measurements of each stage; the shortest one counts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("--model", type=Path, default=MODEL, help="detector (%(default)s)")
    parser.add_argument("--share", type=float, default=1.0, help="share of the images to use; 0.1 for a quick look")


def run(options: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report the table of stages, and return its rows JSON-ready."""
    rows = stage_rows(options.model, options.share)
    report(speed_markdown(rows))
    return {"rows": rows}


def stage_rows(model: Path = MODEL, share: float = 1.0) -> list[dict[str, str]]:
    """Measure all stages on the CPU, for the images of `FOLDERS`; `share` is the share of the images to use."""
    predictor = Predictor.load(model, "cpu", engine="torch")
    columns = {}
    for name, (size, _) in FOLDERS.items():
        with tempfile.TemporaryDirectory() as folder:
            number = max(2, round(share * COUNTS[name]))
            draw_photographs(Path(folder), size, number)
            columns[name] = stage_seconds(predictor, Path(folder))
    whats = list(next(iter(columns.values())))
    return [{"stage": what, **{name: f"{column[what]:.2f}" for name, column in columns.items()}} for what in whats]


def stage_seconds(predictor: Predictor, folder: Path) -> dict[str, float]:
    """Measure the processor time of each stage in seconds for 1,000 images, then shares."""
    paths = list_images(folder)
    with one_thread():
        found = _Stages(predictor, paths, folder / "overlays")
        seconds = {name: least(call) for name, call in found.calls().items()}
    without, whole = (least(lambda overlays=overlays: predicted(predictor, folder, overlays)) for overlays in (0, -1))  # type: ignore[misc]
    network = seconds[NETWORK]
    rest = {"table, record, threads": without - seconds[READING] - network}
    wholes = {"`predict` without overlays": without, "`predict` with all overlays": whole}
    scaled = {name: 1000 * value / len(paths) for name, value in (seconds | rest | wholes).items()}
    shares = {
        "share of the network, without overlays": network / without,
        "share of the network, with all overlays": network / whole,
    }
    left = {f"all other stages may take, for a share of {GOAL}": 1000 * network * (1 / GOAL - 1) / len(paths)}
    return scaled | shares | left


READING, NETWORK = "read, decode and resize", "network"


@dataclass
class _Stages:
    """The stages of a prediction of some images, each as a call. A stage uses what the stage before it has computed."""

    predictor: Predictor
    paths: Sequence[Path]
    out: Path

    def calls(self) -> dict[str, Callable[[], object]]:
        """Return the calls in the order in which they must run."""
        return {
            READING: self.read,
            NETWORK: self.compute,
            "read and decode for an overlay": self.read_again,
            "draw the overlay": self.draw,
            "encode and write the overlay": self.write,
        }

    def read(self) -> None:
        self.fitted: list[Fitted] = [self.predictor.fit_file(path)[0] for path in self.paths]

    def compute(self) -> None:
        parts = [self.fitted[at : at + SMALL_BATCH] for at in range(0, len(self.fitted), SMALL_BATCH)]
        found = [self.predictor.predict_fitted(part) for part in parts]
        self.points, self.sure = (np.concatenate(part) for part in zip(*found, strict=True))

    def read_again(self) -> None:
        self.images: list[Reduced] = [read_at_least(path, MAX_SIDE) for path in self.paths]

    def draw(self) -> None:
        skeleton = self.predictor.skeleton
        each = zip(self.images, self.points, self.sure, strict=True)
        self.overlays = [
            draw_overlay(image.pixels, apply_affine(image.matrix, points), sure, skeleton, max_side=MAX_SIDE)
            for image, points, sure in each
        ]

    def write(self) -> None:
        for path, overlay in zip(self.paths, self.overlays, strict=True):
            write_image(self.out / f"{path.stem}.png", overlay, durable=False)


def least(call: Callable[[], object]) -> float:
    """Measure the shortest processor time of a call in seconds, over `TURNS` calls after one that does not count."""
    call()
    seconds = []
    for _ in range(TURNS):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return min(seconds)
