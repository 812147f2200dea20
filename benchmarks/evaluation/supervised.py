"""The ceiling, a supervised reference: a detector that is trained on annotated fitting images instead of generated pairs.

The annotated images are written as a folder of image-keypoint pairs, so that augmentation, losses and the continuation of
training are the same as for other detectors. The detector predicts landmarks, which are measured without a regression.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.protocol.definition import Protocol
from kpdetect.data.export import write_shards
from kpdetect.detector.config import preset_config
from kpdetect.detector.job import DetectorJob
from kpdetect.detector.train import run_detector_job
from kpdetect.errors import InputError
from kpdetect.files.sources import write_sources
from kpdetect.pairs import NOWHERE, PairBatch, fit_labelled
from kpdetect.training.runtime import Runtime

SIZE, BLOCK, SEED = 128, 64, 0
UNLIMITED = 10_000_000
LEAST = 2


class AnnotatedPairs:
    """Randomly chosen fitting images with their landmarks as keypoints, stretched to squares.

    Args:
        landmark_set: annotated images.
        protocol: protocol that names the landmarks.
        labels: number of fitting images to choose.

    Raises:
        InputError: `labels` is below 2 or above the number of fitting images.
    """

    def __init__(self, landmark_set: LandmarkSet, protocol: Protocol, labels: int) -> None:
        if not LEAST <= labels <= len(landmark_set.fit):
            raise InputError(
                f"`supervised={labels}`: expected {LEAST} to {len(landmark_set.fit)}, the number of fitting images"
            )
        self.landmark_set, self.labels = landmark_set, labels
        self.chosen = np.sort(np.random.default_rng(SEED).permutation(landmark_set.fit)[:labels])
        self.keypoints, self.size = landmark_set.landmarks_px.shape[1], (SIZE, SIZE)
        self.provenance: dict[str, Any] = {
            "annotated": landmark_set.name,
            "protocol": protocol.name,
            "labels": labels,
            "content": self._content(),
            "crop": "stretch",
        }

    def _content(self) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(self.landmark_set.landmarks_px[self.chosen]).tobytes())
        for content in self.landmark_set.content_hashes(self.chosen):
            digest.update(content.encode())
        return digest.hexdigest()[:16]

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield the pairs start <= i < stop; pair i is image i modulo `labels`."""
        for begin in range(start, stop, BLOCK):
            rows = [int(self.chosen[index % self.labels]) for index in range(begin, min(begin + BLOCK, stop))]
            yield self._batch(rows)

    def _batch(self, rows: list[int]) -> PairBatch:
        marked = [(self.landmark_set.image(row), self.landmark_set.landmarks_px[row]) for row in rows]
        fitted = [fit_labelled(image, points_px, self.size, "stretch") for image, points_px in marked]
        images, points = (np.stack(arrays) for arrays in zip(*fitted, strict=True))
        visible = np.asarray(~np.isnan(points).any(axis=-1))
        return PairBatch(images=images, keypoints=np.where(visible[..., None], points, NOWHERE), visible=visible)


def train_supervised(
    landmark_set: LandmarkSet, protocol: Protocol, labels: int, minutes: float, out: Path, runtime: Runtime
) -> Path:
    """Train a detector on annotated fitting images, or continue its training.

    Args:
        landmark_set: annotated images; no test image is read.
        protocol: protocol that names the landmarks.
        labels: number of annotated images to train on.
        minutes: training time in minutes, over all calls that continue the training.
        out: folder for pairs and detector.
        runtime: device and precision.

    Returns:
        The weights file.

    Raises:
        InputError: `labels` is below 2 or above the number of fitting images.
        ConfigError: `out` holds a detector that was trained on other annotated images.
    """
    pairs = AnnotatedPairs(landmark_set, protocol, labels)
    write_shards(pairs, out / "pairs", labels, codec="raw")
    names = [landmark_set.images[row] for row in pairs.chosen]
    write_sources(out / "pairs", zip(names, landmark_set.content_hashes(pairs.chosen), strict=True))
    config = preset_config("tiny").model_copy(update={"steps": UNLIMITED})
    return run_detector_job(
        DetectorJob(pairs=out / "pairs", out=out / "detector", config=config, runtime=runtime, minutes=minutes)
    )
