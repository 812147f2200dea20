"""Pairs that are made from sampled images, to measure a training on pairs before any are generated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from generator.stream import BATCH
from kpdetect.images.arrays import Image
from kpdetect.pairs import PairBatch


@dataclass(frozen=True, kw_only=True)
class SamplePairs:
    """A source of pairs for measuring a training: sampled images, with all keypoints in the centre. Drawing takes no time.

    Attributes:
        images: uint8 [count, side, side, 3].
        keypoints: number of keypoints K.
    """

    images: Image
    keypoints: int
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self.images.shape[1], self.images.shape[2]

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield pairs start <= i < stop, in order, in batches."""
        for first in range(start, stop, BATCH):
            index = np.arange(first, min(first + BATCH, stop))
            points, seen = np.zeros((len(index), self.keypoints, 2), np.float32), np.ones((len(index), self.keypoints), bool)
            yield PairBatch(images=self.images[index % len(self.images)], keypoints=points, visible=seen)
