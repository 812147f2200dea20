"""Speed of a detector: `python -m benchmarks.speed inference MODEL --images DIR`.

A rate is the number of images per second, from the input squares to keypoints, at batch 1 or 32. The network runs in three
modes: eager, as in `kpdetect predict`; compiled by torch.compile; and as ONNX in onnxruntime. The rate of all of `predict`,
from files to table, is also shown as a share of the eager rate. A rate is the median over repetitions after a warm-up. It
depends on the machine, which is printed too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.speed.timing import Report, median_seconds, median_share, spent
from kpdetect.images.image_files import list_images
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.export import export_onnx
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.onnx_graph import KeypointGraph
from kpdetect.inference.predictor import BATCH, Predictor

KINDS = ("eager", "compiled", "onnx")
BATCHES = (1, BATCH)
TURNS = 3
"""Number of turns of `predict` and of the network alone; a share is the median over the turns."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A measured speed.

    Attributes:
        what: the measured computation: `eager`, `compiled`, `onnx`, or `predict`.
        batch: images per call.
        images_per_second: the rate; the median over the repetitions.
        share: rate as a share of the eager rate at the same batch; None for the eager rate.
        processor_share: the same share by processor time, which other work hardly changes; None except for `predict`.
    """

    what: str
    batch: int
    images_per_second: float
    share: float | None = None
    processor_share: float | None = None

    def line(self) -> str:
        """Format the rate as a line of text."""
        share = "" if self.share is None else f"  {self.share:.2f} of eager"
        processor = "" if self.processor_share is None else f" ({self.processor_share:.2f} by processor time)"
        return f"{self.what:9s} batch {self.batch:2d}  {self.images_per_second:8.1f} images/s{share}{processor}"


def measure(predictor: Predictor, images: Path | None, seconds: float, kinds: Sequence[str] = KINDS) -> Iterator[Rate]:
    """Measure the network alone, then `predict` on a folder if there is one.

    Args:
        predictor: the detector.
        images: folder of images, or None.
        seconds: duration of each measurement.
        kinds: kinds of `KINDS` to measure; eager mode is always measured.
    """
    eager: dict[int, float] = {}
    for kind in dict.fromkeys(("eager", *kinds)):
        run = _RUNNERS[kind](predictor)
        for batch in BATCHES:
            rate = _network_rate(run, predictor.side, batch, seconds)
            eager.setdefault(batch, rate)
            yield Rate(what=kind, batch=batch, images_per_second=rate, share=None if kind == "eager" else rate / eager[batch])
    if images is not None:
        yield _predict_rate(predictor, images)


def _predict_rate(predictor: Predictor, images: Path) -> Rate:
    """Measure `predict` from files to table, without overlays. It takes turns with the network alone on as many squares."""
    paths = list_images(images)
    squares = _squares(predictor.side, BATCH)
    predicted, alone = [], []
    for _ in range(TURNS):
        alone.append(spent(lambda: [predictor.read_squares(squares[: len(paths) - at]) for at in range(0, len(paths), BATCH)]))
        with tempfile.TemporaryDirectory() as out:
            config = PredictConfig(overlays=0)
            predicted.append(spent(partial(predict_into, predictor, paths, images, Path(out), config)))
    share = median_share(predicted, alone)
    rate = len(paths) / median(turn.seconds for turn in predicted)
    return Rate(what="predict", batch=BATCH, images_per_second=rate, share=share.clock, processor_share=share.processor)


def _squares(side: int, batch: int) -> np.ndarray:
    return np.random.default_rng(batch).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)


def _network_rate(run: Callable[[np.ndarray], object], side: int, batch: int, seconds: float) -> float:
    squares = _squares(side, batch)
    return batch / median_seconds(lambda: run(squares), seconds)


def _eager(predictor: Predictor) -> Callable[[np.ndarray], object]:
    return predictor.read_squares


def _compiled(predictor: Predictor) -> Callable[[np.ndarray], object]:
    graph = torch.compile(KeypointGraph(predictor.detector, predictor.calibration))

    @torch.inference_mode()
    def run(squares: np.ndarray) -> object:
        pixels = torch.from_numpy(squares.transpose(0, 3, 1, 2).copy()).to(predictor.runtime.device)
        with predictor.runtime.autocast():
            keypoints, confidence = graph(pixels.float().div_(127.5).sub_(1))
        return keypoints.cpu(), confidence.cpu()

    return run


def _onnx(predictor: Predictor) -> Callable[[np.ndarray], object]:
    with tempfile.TemporaryDirectory() as folder:
        graph = export_onnx(predictor, Path(folder) / "model.onnx")

    def run(squares: np.ndarray) -> object:
        return graph(np.ascontiguousarray(squares.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1))

    return run


_RUNNERS: dict[str, Callable[[Predictor], Callable[[np.ndarray], object]]] = {
    "eager": _eager,
    "compiled": _compiled,
    "onnx": _onnx,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("model", type=Path, help="project folder, run folder or weights file of a detector")
    parser.add_argument("--images", type=Path, help="folder of images for the rate of predict")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds of each measurement")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--device", default="auto")


def run(given: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report each rate as soon as it is measured, and return all rates JSON-ready.

    Raises:
        KpdetectError: the model or the images cannot be used.
    """
    predictor, rates = Predictor.load(given.model, given.device), []
    report(f"square {predictor.side} px, computed in {predictor.runtime.compute} on {predictor.runtime.device}")
    for rate in measure(predictor, given.images, given.seconds, given.kinds):
        report(rate.line())
        rates.append(asdict(rate))
    return {"model": predictor.hash, "rates": rates}
