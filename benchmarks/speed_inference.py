"""How fast a detector is: `python -m benchmarks.speed_inference MODEL --images DIR`.

Images per second of the network and the reading of its heatmaps, at batch 1 and 32: eager as `kpdetect predict` runs it,
compiled by torch.compile, and ONNX in onnxruntime; and of `predict` from files to table as a share of the eager rate at its own
batch. A rate is the median over repetitions after a warm-up; it depends on the machine, which is printed with it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from kpdetect.errors import KpdetectError
from kpdetect.files import write_json
from kpdetect.images import list_images
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.export import KeypointGraph, export_onnx
from kpdetect.inference.folder import predict_images
from kpdetect.inference.predictor import BATCH, Predictor
from kpdetect.runlog import environment

KINDS = ("eager", "compiled", "onnx")
BATCHES = (1, BATCH)
WARM_UP = 3
"""Calls before anything is timed."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A measured speed.

    Attributes:
        what: `eager`, `compiled`, `onnx`, or `predict`.
        batch: images per call.
        images_per_second: median over the repetitions.
        share: of the eager rate at the same batch; None for that rate itself.
    """

    what: str
    batch: int
    images_per_second: float
    share: float | None = None

    def line(self) -> str:
        """For people."""
        share = "" if self.share is None else f"  {self.share:.2f} of eager"
        return f"{self.what:9s} batch {self.batch:2d}  {self.images_per_second:8.1f} images/s{share}"


def measure(predictor: Predictor, images: Path | None, seconds: float, kinds: Sequence[str] = KINDS) -> Iterator[Rate]:
    """Measure the network alone, then `predict` on a folder if there is one.

    Args:
        predictor: the detector.
        images: folder of images, or None.
        seconds: to repeat each measurement for.
        kinds: of `KINDS`; eager is measured in any case.
    """
    eager: dict[int, float] = {}
    for kind in dict.fromkeys(("eager", *kinds)):
        run = _RUNNERS[kind](predictor)
        for batch in BATCHES:
            rate = _network_rate(run, predictor.side, batch, seconds)
            eager.setdefault(batch, rate)
            yield Rate(what=kind, batch=batch, images_per_second=rate, share=None if kind == "eager" else rate / eager[batch])
    if images is not None:
        rate = _folder_rate(predictor, images)
        beside = _network_rate(_eager(predictor), predictor.side, BATCH, seconds)  # the pace may have changed
        yield Rate(what="predict", batch=BATCH, images_per_second=rate, share=rate / beside)


def _network_rate(run: Callable[[np.ndarray], object], side: int, batch: int, seconds: float) -> float:
    squares = np.random.default_rng(batch).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    return batch / median_seconds(lambda: run(squares), seconds)


def median_seconds(call: Callable[[], object], seconds: float) -> float:
    """Median duration of a call that is repeated for about `seconds`, at least three times."""
    for _ in range(WARM_UP):
        call()
    durations: list[float] = []
    while sum(durations) < seconds or len(durations) < 3:
        began = time.perf_counter()
        call()
        durations.append(time.perf_counter() - began)
    return statistics.median(durations)


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


def _folder_rate(predictor: Predictor, images: Path) -> float:
    """Images per second of `predict` without overlays, from files to table."""
    paths = list_images(images)
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        found, _ = predict_images(predictor, paths, images, Path(out), PredictConfig(overlays=0))
        return len(found.images) / (time.perf_counter() - began)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print rates; exit code 2 where the model or the images cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed_inference", description=__doc__)
    parser.add_argument("model", type=Path, help="project folder, run folder or weights file")
    parser.add_argument("--images", type=Path, help="folder of images for the rate of predict")
    parser.add_argument("--seconds", type=float, default=5.0, help="to repeat each measurement for")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args(arguments)
    try:
        predictor, rates = Predictor.load(given.model, given.device), []
        print(f"machine: {json.dumps(environment())}")
        print(f"square {predictor.side} px, computed in {predictor.runtime.compute} on {predictor.runtime.device}")
        for rate in measure(predictor, given.images, given.seconds, given.kinds):
            print(rate.line(), flush=True)
            rates.append(asdict(rate))
        if given.out is not None:
            write_json(given.out, {"model": predictor.hash, "rates": rates, "environment": environment()})
    except KpdetectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
