"""The one-euro filter (Casiez, Roussel and Vogel, CHI 2012): a low-pass filter whose cut-off rises with speed.

Speeds are in image sides per second, so that its settings do not depend on the resolution.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SPEED_CUTOFF = 1.0
"""Cut-off in hertz of the filter that the speed itself passes (the paper's dcutoff)."""


class OneEuroFilter:
    """Smooths keypoints frame by frame, each for itself.

    Args:
        rate: frames per second that come in.
        side: longer side of the frames in pixels, the unit of speed.
        cutoff: cut-off in hertz at rest (the paper's mincutoff).
        beta: hertz added per side and second of speed.
    """

    def __init__(self, rate: float, side: float, cutoff: float, beta: float) -> None:
        self.rate, self.side, self.cutoff, self.beta = rate, side, cutoff, beta
        self.last: NDArray[np.float64] | None = None
        self.speed = np.zeros(0)

    def __call__(self, keypoints_px: NDArray[np.floating], elapsed: float | None = None) -> NDArray[np.float32]:
        """Smooth the next frame's keypoints.

        Args:
            keypoints_px: [K, 2].
            elapsed: seconds since the last frame; one frame at `rate` unless given.
        """
        now, rate = keypoints_px.astype(np.float64), self.rate if elapsed is None else 1 / elapsed
        if self.last is None:
            self.last, self.speed = now, np.zeros_like(now)
            return now.astype(np.float32)
        raw = (now - self.last) * rate / self.side  # sides a second
        self.speed += _share(np.float64(SPEED_CUTOFF), rate) * (raw - self.speed)
        magnitude = np.linalg.norm(self.speed, axis=-1, keepdims=True)
        self.last = self.last + _share(self.cutoff + self.beta * magnitude, rate) * (now - self.last)
        return self.last.astype(np.float32)


def _share(cutoff: NDArray[np.float64] | np.float64, rate: float) -> NDArray[np.float64]:
    """Weight of the new value: 1 / (1 + rate / (2 pi cutoff))."""
    return np.asarray(1 / (1 + rate / (2 * math.pi * cutoff)))
