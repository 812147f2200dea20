"""A source of pairs that needs no generator."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpdetect.pairs import PairBatch


class FakeSource:
    """Pairs that follow from their index: height 6, width 10, three keypoints, one of them outside the frame."""

    keypoints = 3
    size = (6, 10)

    def __init__(self, seed: int = 0, fail_at: int | None = None) -> None:
        self.seed, self.fail_at = seed, fail_at
        self.provenance = {"generator": "abc", "seed": seed}

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        for first in range(start, stop, 4):
            index = np.arange(first, min(first + 4, stop))
            if self.fail_at is not None and self.fail_at in index:
                raise RuntimeError("killed")
            places = np.stack([np.sin(index), np.cos(index)], axis=1).astype(np.float32)
            rows, columns = np.mgrid[0:6, 0:10]
            ramp = (index[:, None, None] * 3 + 10 * rows + 5 * columns + self.seed) % 256
            yield PairBatch(
                images=np.stack([ramp, 255 - ramp, ramp // 2], axis=-1).astype(np.uint8),
                keypoints=np.stack([places, -places, places + 1.5], axis=1),
                visible=np.stack([index % 2 == 0, index % 3 == 0, index < 0], axis=1),
                masks=(ramp // 3).astype(np.uint8),
            )
