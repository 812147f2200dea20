"""The steps that `benchmarks.speed.scale` measures. Each one makes its files, does its work and returns what the work cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from generator.stream import PairStream
from kpdetect.data.export import write_shards
from kpdetect.data.folder import build_cache
from kpdetect.files.json_stream import Entries
from kpdetect.files.name_table import NameTable
from kpdetect.images.image_files import list_names
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.image_parts import Part, Parts
from kpdetect.inference.parts_table import PartsTable
from kpdetect.inference.predictions import write_predictions
from kpdetect.inference.predictions_folder import PredictedFolder
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.sources import find_sources
from kpdetect.skeleton import Skeleton
from kpdetect.toy.dataset import write_toy
from kpdetect.training.machine import peak_resident
from kpdetect.training.runtime import resolve_runtime

STEPS = {
    "list_for_predict": "listing the files for `predict`",
    "list_for_training": "listing the names of the files for a training",
    "tables": "writing predictions.csv and predictions.json, 10 keypoints",
    "parquet": "writing predictions.parquet, 10 keypoints",
    "reading": "`kpdetect.read_predictions`, 10 keypoints",
    "predict": "`predict toy-32`, PNG files of 64 px",
    "cache": "packing the images for a training of 64 px",
    "generate": "`generate faces-64`, JPEG pairs of 64 px",
}
"""What the steps measure, by name of the function, in their order."""
KEYPOINTS = 10
Numbers = dict[str, float]


def list_for_predict(folder: Path, count: int) -> Numbers:
    """List files that hold five bytes, 1,000 in a folder, as `predict` does."""
    many = folder / "many"
    for number in range(count):
        if number % 1000 == 0:
            (many / f"{number // 1000:05d}").mkdir(parents=True)
        (many / f"{number // 1000:05d}" / f"{number % 1000:03d}.png").write_bytes(b"image")
    return _cost(lambda: find_sources([str(many)]))


def list_for_training(folder: Path, count: int) -> Numbers:
    """List the names of the files of `list_for_predict`, as a training does first."""
    return _cost(lambda: list_names(folder / "many"))


def tables(folder: Path, count: int) -> Numbers:
    """Join the finished parts of a prediction to predictions.csv and predictions.json."""
    out, random = folder / "tables", np.random.default_rng(0)
    names = NameTable(f"{number // 1000:05d}/{number % 1000:03d}.png" for number in range(count))
    parts = Parts(out, {}, count)
    for span in parts.spans:
        points = random.uniform(0, 31, (len(span), KEYPOINTS, 2)).astype(np.float32)
        sure, sizes = random.random((len(span), KEYPOINTS)).astype(np.float32), np.full((len(span), 2), 32)
        digests = [f"{number:016x}" for number in span]
        parts.write(
            span,
            Part(numbers=np.array(span), keypoints_px=points, confidence=sure, sizes=sizes, digests=digests, skipped={}),
        )
    import pandas  # noqa: F401, ICN001  # its memory does not belong to the table

    def write() -> None:
        table = PartsTable(parts, names, Skeleton.plain(KEYPOINTS))
        write_predictions(out, table.blocks, {"files": Entries(table.files())})

    cost = _cost(write)
    parts.remove()
    return cost | _written(out)


def parquet(folder: Path, count: int) -> Numbers:
    """Write predictions.parquet from the files of `tables`."""
    import pandas  # noqa: F401, ICN001
    import pyarrow.parquet  # noqa: F401

    cost = _cost(lambda: write_formats(PredictedFolder(folder / "tables", count), ["parquet"], folder / "tables"))
    return cost | _written(folder / "tables" / "predictions.parquet") | {"files": count / 100_000}


def reading(folder: Path, count: int) -> Numbers:
    """Read the files of `tables` into memory."""
    import pandas  # noqa: F401, ICN001

    return _cost(lambda: PredictedFolder(folder / "tables", count).predictions)


def predict(folder: Path, count: int) -> Numbers:
    """Predict PNG files of 64 px on one thread."""
    write_toy(folder / "toy", count, size=64)
    sources = find_sources([str(folder / "toy" / "images")])
    predictor = Predictor.load(Path("toy-32"), "cpu", engine="torch")
    config = PredictConfig(overlays=0)
    predict_into(predictor, sources.images[:32], sources.root, folder / "first", config)  # the first call is slower
    return _cost(lambda: predict_into(predictor, sources.images, sources.root, folder / "predicted", config)) | {"memory": 0}


def cache(folder: Path, count: int) -> Numbers:
    """Decode the images of `predict` into the file that a training reads."""
    cost = _cost(lambda: build_cache(folder / "toy" / "images", folder / "cache", 64, "centre", set()))
    return cost | _written(folder / "cache") | {"memory": 0, "files": 0}


def generate(folder: Path, count: int) -> Numbers:
    """Write a shard of pairs."""
    stream = PairStream("faces-64", resolve_runtime("cpu"))
    stream.draw(0)
    cost = _cost(lambda: write_shards(stream, folder / "pairs", count, codec="jpeg", shard_size=5_000))
    return cost | _written(folder / "pairs") | {"memory": 0, "files": count / 5_000}


def _cost(work: Callable[[], object]) -> Numbers:
    memory, began = peak_resident(), time.process_time()
    work()
    return {"seconds": time.process_time() - began, "memory": peak_resident() - memory}


def _written(folder: Path) -> Numbers:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {"disk": sum(path.stat().st_size for path in files), "files": len(files)}
