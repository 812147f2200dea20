"""Measure a detector on held-out pairs, calibrate its confidence, and decide when to stop.

Training stops if the error on held-out pairs has not fallen for a number of measurements.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kpdetect.detector.batches import Batches, TrainingPairs
from kpdetect.detector.calibration import NEAR, Calibration, fit_calibration, reliability, write_reliability_plot
from kpdetect.detector.losses import coordinate_distance
from kpdetect.detector.network import read_heatmaps
from kpdetect.training.runtime import Runtime


class Patience:
    """A counter of measurements since the smallest error.

    Args:
        limit: number of measurements without a new smallest error after which the training should end. 0: never.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.best, self.since = limit, float("inf"), 0

    def measure(self, error: float) -> None:
        """Record a measured error."""
        if error < self.best:
            self.best, self.since = error, 0
        else:
            self.since += 1

    @property
    def exhausted(self) -> bool:
        """Whether the training should end."""
        return 0 < self.limit <= self.since

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"best": self.best, "since": self.since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.best, self.since = float(state["best"]), int(state["since"])
        if self.best != self.best or self.since < 0:
            raise ValueError("the best measurement is not a number")


TILES = 8
"""Number of tiles along each side of a decoy."""


@torch.no_grad()
def find_keypoints(detector: nn.Module, images: Tensor, runtime: Runtime) -> tuple[Tensor, Tensor]:
    """Predict keypoints [count, K, 2] and heatmap mass [count, K] of images [count, 3, height, width]; return CPU tensors."""
    keypoints, mass = keypoints_on_device(detector, images, runtime)
    return keypoints.cpu(), mass.cpu()


@torch.no_grad()
def keypoints_on_device(detector: nn.Module, images: Tensor, runtime: Runtime) -> tuple[Tensor, Tensor]:
    """Predict keypoints and heatmap mass as `find_keypoints` does, as tensors on the runtime's device."""
    parts = []
    for part in images.split(64):
        with runtime.autocast():
            logits = detector(part.to(runtime.device))
        parts.append(read_heatmaps(logits))
    keypoints, mass = zip(*parts, strict=True)
    return torch.cat(keypoints), torch.cat(mass)


def keypoint_layout(keypoints: Tensor) -> dict[str, list[list[float]]]:
    """Describe the layout of predicted keypoints [count, K, 2], see `kpdetect.inference.second_pass.Layout`."""
    distances = torch.cdist(keypoints, keypoints).square().mean(dim=0).sqrt()
    parts = {"places": keypoints.mean(dim=0), "distances": distances}
    return {name: [[round(value, 4) for value in row] for row in part.tolist()] for name, part in parts.items()}


def calibrate(detector: nn.Module, batches: Batches, runtime: Runtime, folder: Path) -> Calibration:
    """Calibrate the confidence on augmented held-out pairs, and on a decoy made from each.

    The calibration is fitted to every second pair and its decoy. `folder`/reliability.png shows how well it fits the others.
    """
    pairs = batches.held_out_varied()
    keypoints, mass = find_keypoints(detector, pairs.images, runtime)
    _, mass_of_decoys = find_keypoints(detector, decoys(pairs.images), runtime)
    found, inside = _found(keypoints, pairs)

    def both(part: slice) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        kept = inside[part]
        masses = torch.cat([mass[part][kept], mass_of_decoys[part][kept]])
        return masses.numpy(), torch.cat([found[part][kept], torch.zeros_like(found[part][kept])]).numpy()

    calibration = fit_calibration(*both(slice(0, None, 2)), usual=mass[inside].numpy())
    raw, truth = both(slice(1, None, 2))
    if len(raw):
        path = folder / "reliability.png"
        write_reliability_plot(reliability(raw, truth), reliability(calibration(raw), truth), path)
    return calibration


def share_found(keypoints: Tensor, pairs: TrainingPairs) -> float:
    """Compute the share of found keypoints: those inside the image whose predictions [count, K, 2] are near them."""
    found, inside = _found(keypoints, pairs)
    return float(found[inside].float().mean())


def _found(keypoints: Tensor, pairs: TrainingPairs) -> tuple[Tensor, Tensor]:
    """Tell for each predicted keypoint whether it is near the true one, and whether the true one lies in the image.

    Args:
        keypoints: predictions [count, K, 2].
        pairs: the true keypoints.

    Returns:
        Two arrays, bool [count, K].
    """
    return coordinate_distance(keypoints, pairs.keypoints) <= NEAR, (pairs.keypoints.abs() <= 1).all(dim=-1)


def decoys(images: Tensor) -> Tensor:
    """Make decoys: images [count, 3, height, width] with the same texture but no object.

    Each image is cut into `TILES` x `TILES` equal tiles, and every tile is moved. Pixels at the right and lower edge that do
    not fill a tile stay in place.
    """
    count, channels, *size = images.shape
    across = min(TILES, *size)
    height, width = (side // across for side in size)
    whole = images[:, :, : across * height, : across * width]
    tiles = whole.reshape(count, channels, across, height, across, width).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    mixed = torch.empty_like(tiles)
    for number in range(count):
        order = np.random.default_rng(number).permutation(across**2)
        mixed[number, order] = tiles[number, np.roll(order, 1)]  # a permutation with one cycle moves every tile
    back = mixed.reshape(count, across, across, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    result = images.clone()
    result[:, :, : across * height, : across * width] = back.reshape(whole.shape)
    return result
