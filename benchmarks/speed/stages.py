"""Contests of all other stages than training: reading images, drawing and exporting pairs, predicting."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.speed.paired_timing import CONVOLUTION, CONVOLUTION_GFLOP, Contest, Setting, convolution
from benchmarks.speed.trainings import smooth_pictures
from generator.stream import BATCH, PairStream
from kpdetect.data.export import write_shards
from kpdetect.data.folder import build_cache
from kpdetect.images.image_files import list_images, read_image, write_image
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.predictor import Predictor
from kpdetect.training.runtime import Runtime, resolve_runtime

IMAGES = 256
"""Number of JPEG files of `SIDE` pixels that are read and predicted."""
SIDE = 128


def contests(setting: Setting) -> Iterator[Contest]:
    """Yield the contests; each writes files of its own and removes them afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for number, picture in enumerate(smooth_pictures(IMAGES // 8 if setting.quick else IMAGES, SIDE)):
            write_image(out / "images" / f"{number:04d}.jpg", picture)
        yield _reading(out)
        yield from _pairs(setting, out, "toy-32" if setting.quick else "faces-64")
        yield from _predicting(setting.runtime, out)


def _reading(out: Path) -> Contest:
    paths, numbers = list_images(out / "images"), count()
    return Contest(
        name=f"reading {SIDE} px JPEG files into a cache",
        work=lambda: build_cache(out / "images", out / f"cache-{next(numbers)}", 32, "centre", set()),
        amount=len(paths),
        unit="images",
        base="decoding them one by one",
        base_work=lambda: [read_image(path) for path in paths],
        base_amount=len(paths),
    )


def _pairs(setting: Setting, out: Path, model: str) -> Iterator[Contest]:
    stream, numbers = PairStream(model, setting.runtime), count()

    def export(codec: str) -> None:
        write_shards(stream, out / f"{codec}-{next(numbers)}", BATCH, codec=codec, shard_size=BATCH)  # type: ignore[arg-type]

    yield Contest(
        name=f"drawing pairs of {model}",
        work=lambda: stream.draw(0),
        amount=BATCH,
        unit="pairs",
        base=CONVOLUTION,
        base_work=convolution(resolve_runtime(setting.runtime.device.type, "float32")),  # type: ignore[arg-type]
        base_amount=CONVOLUTION_GFLOP,
    )
    for codec in ("jpeg", "raw"):
        yield Contest(
            name=f"exporting pairs of {model} as {codec}",
            work=partial(export, codec),
            amount=BATCH,
            unit="pairs",
            base="drawing them",
            base_work=lambda: stream.draw(0),
            base_amount=BATCH,
        )


def _predicting(runtime: Runtime, out: Path) -> Iterator[Contest]:
    predictor = Predictor.load(Path("faces-64"), runtime.device.type)  # type: ignore[arg-type]
    paths, numbers = list_images(out / "images"), count()
    squares = smooth_pictures(32, predictor.side)
    yield Contest(
        name="detector faces-64, 32 images at once",
        work=lambda: predictor.read_squares(squares),
        amount=len(squares),
        unit="images",
        base=CONVOLUTION,
        base_work=convolution(predictor.runtime),
        base_amount=CONVOLUTION_GFLOP,
    )
    yield Contest(
        name=f"predicting {SIDE} px JPEG files",
        work=lambda: predict_into(
            predictor, paths, out / "images", out / f"predicted-{next(numbers)}", PredictConfig(overlays=0)
        ),
        amount=len(paths),
        unit="images",
        base="the network alone",
        base_work=lambda: [predictor.read_squares(squares) for _ in range(len(paths) // len(squares))],
        base_amount=len(paths),
    )
