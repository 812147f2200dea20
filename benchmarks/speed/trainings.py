"""Contests of the three trainings: generator, detector on generated pairs, and refinement on real images.

A step of the generator is compared with a convolution. A step of the others is compared with a step on a prepared batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.generator import small_trainer
from benchmarks.speed.paired_timing import CONVOLUTION, CONVOLUTION_GFLOP, Contest, Setting, convolution
from generator.presets import preset
from kpdetect.config import apply_overrides
from kpdetect.data.sample import Sample
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.learned import learn_from
from kpdetect.detector.train import DetectorTrainer
from kpdetect.pairs import PairBatch
from kpdetect.refinement.config import RefineConfig
from kpdetect.refinement.train import RefineTrainer
from kpdetect.training.loop import Trainer
from kpdetect.training.price import unwritten

KEYPOINTS = 10
READY = "the same on a batch that is ready"


class SmoothPairs:
    """A source of image-keypoint pairs with prepared pictures, which need no time to draw.

    Args:
        side: side of the pictures in pixels.
    """

    keypoints, provenance = KEYPOINTS, {"generator": "noise"}

    def __init__(self, side: int) -> None:
        self.size, self.images = (side, side), smooth_pictures(64, side)

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield the pairs start <= i < stop, in order, in batches."""
        for first in range(start, stop, len(self.images)):
            count = min(len(self.images), stop - first)
            keypoints, visible = np.zeros((count, KEYPOINTS, 2), np.float32), np.ones((count, KEYPOINTS), bool)
            yield PairBatch(images=self.images[:count], keypoints=keypoints, visible=visible)


def smooth_pictures(count: int, side: int) -> np.ndarray:
    """Draw pictures uint8 [count, side, side, 3]; each is divided into 8x8 blocks of one colour."""
    noise = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    factor = -(-side // 8)
    return np.ascontiguousarray(noise.repeat(factor, axis=1).repeat(factor, axis=2)[:, :side, :side])


def contests(setting: Setting) -> Iterator[Contest]:
    """Yield the contests of the generator, of the detector on generated pairs, and of refinement on real images."""
    runtime, side = setting.runtime, 64 if setting.quick else 128
    base = convolution(runtime)
    with tempfile.TemporaryDirectory() as folder:
        generator = small_trainer(preset("tiny", 32 if setting.quick else 64), runtime, Path(folder))
        yield Contest(
            name=f"generator tiny {generator.config.model.size} px",
            work=lambda: train_step(generator),
            amount=generator.batch,
            unit="images",
            base=CONVOLUTION,
            base_work=base,
            base_amount=CONVOLUTION_GFLOP,
        )
        generator.close()
    detector = apply_overrides(DetectorConfig(), [f"model.input_size={side}"])

    def detector_trainer() -> DetectorTrainer:
        batches, learned = learn_from(SmoothPairs(side), Path(), detector)
        return DetectorTrainer(unwritten(detector), batches, learned, detector, runtime)

    yield from _against_ready(f"detector resnet10t {side} px", detector_trainer(), detector_trainer())
    refine = apply_overrides(RefineConfig(), [f"model.input_size={side}"])
    sample = Sample(images=smooth_pictures(64, side), folder_count=64, rate=1.0)
    pair = [RefineTrainer(unwritten(refine), sample, refine, runtime, None, SmoothPairs(side)) for _ in range(2)]
    yield from _against_ready(f"refine resnet10t {side} px", *pair)


def train_step(trainer: Trainer) -> None:
    """Run one training step."""
    trainer.train_step()
    trainer.step += 1


def _against_ready(name: str, trainer: Any, ready: Any) -> Iterator[Contest]:
    """Yield the contest of a trainer against another trainer of its kind, which gets the same prepared batch in every step."""
    train_step(ready)
    for part in (ready, getattr(ready, "anchor", None)):
        if part is not None:
            part.upcoming = _endless(part.upcoming)

    def work() -> None:
        train_step(trainer)

    yield Contest(
        name=name,
        work=work,
        amount=trainer.batch,
        unit="images",
        base=READY,
        base_work=lambda: train_step(ready),
        base_amount=trainer.batch,
    )
    trainer.close()
    ready.close()


def _endless(batches: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Yield the next batch for ever, and end the threads that prepare batches."""
    batch = next(batches)
    batches.close()
    while True:
        yield batch
