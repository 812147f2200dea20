"""Stop a run whose keypoints drift away from those of the refined detector, or move to one point. Losses do not show this."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kpdetect.errors import TrainingError
from kpdetect.refinement.config import RefineConfig


@dataclass(frozen=True, kw_only=True)
class Health:
    """Statistics of the averaged detector's keypoints on fixed real images, in normalised units.

    Attributes:
        spread: standard deviation of the keypoints within an image, as mean over the images.
        motion: standard deviation of a keypoint between images, as mean over the keypoints.
        drift: mean distance to the keypoints of the detector that the run started from; 0 if it started from random weights.
    """

    spread: float
    motion: float
    drift: float


def measure_health(keypoints: Tensor, before: Tensor | None) -> Health:
    """Measure the spread, motion and drift of keypoints [images, K, 2].

    `before` holds the keypoints [images, K, 2] of the detector that the run started from; None if it started from random
    weights.
    """
    drift = 0.0 if before is None else float(torch.linalg.vector_norm(keypoints - before, dim=-1).mean())
    spread = float(keypoints.std(dim=1, correction=0).mean())
    return Health(spread=spread, motion=float(keypoints.std(dim=0, correction=0).mean()), drift=drift)


def require_health(health: Health, start: Health | None, config: RefineConfig, folder: str) -> None:
    """Raise an error if the keypoints have collapsed. If no detector is refined, do nothing, because there is no comparison.

    Raises:
        TrainingError: the keypoints have collapsed.
    """
    if start is None:
        return
    kept = "the last good checkpoint, if there is one, is kept"
    advice = f"{kept}; try `overrides=rate=0.0001` or a larger `overrides=anchor_weight=...`, in a new `out`"
    if health.spread < config.least_spread * start.spread:
        raise TrainingError(
            f"{folder}: the keypoints move to one point (spread {health.spread:.3f}, {start.spread:.3f} before); {advice}"
        )
    if health.drift > config.most_drift:
        raise TrainingError(f"{folder}: the keypoints have moved by {health.drift:.3f} on average; {advice}")


def closeness(keypoints: Tensor, sigma: float) -> Tensor:
    """Compute how close each keypoint is to the others: the sum over them of exp(-d^2 / 2 sigma^2), [batch, K].

    `keypoints` are [batch, K, 2], and d is the distance of two keypoints.
    """
    squared = ((keypoints[:, :, None] - keypoints[:, None]) ** 2).sum(dim=-1)
    near = torch.exp(-squared / (2 * sigma**2))
    return near.sum(dim=-1) - 1  # the keypoint itself adds 1 to the sum
