"""What a detector makes of images and pairs it was not trained on.

When to stop: the error on held-out pairs has not fallen for some measurements.
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
    """Counts measurements since the best one.

    Args:
        limit: measurements without a new best after which it is exhausted; 0: never.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.best, self.since = limit, float("inf"), 0

    def measure(self, error: float) -> None:
        """Take note of an error."""
        if error < self.best:
            self.best, self.since = error, 0
        else:
            self.since += 1

    @property
    def exhausted(self) -> bool:
        """Whether training should end."""
        return 0 < self.limit <= self.since

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return {"best": self.best, "since": self.since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.best, self.since = float(state["best"]), int(state["since"])
        if self.best != self.best or self.since < 0:
            raise ValueError("the best measurement is no number")


TILES = 8
"""Along each side of a decoy."""


@torch.no_grad()
def find_keypoints(detector: nn.Module, images: Tensor, runtime: Runtime) -> tuple[Tensor, Tensor]:
    """Keypoints [count, K, 2] and heatmap mass [count, K] of images [count, 3, height, width], on the CPU."""
    parts = []
    for part in images.split(64):
        with runtime.autocast():
            logits = detector(part.to(runtime.device))
        parts.append(read_heatmaps(logits))
    keypoints, mass = zip(*parts, strict=True)
    return torch.cat(keypoints).cpu(), torch.cat(mass).cpu()


def keypoint_layout(keypoints: Tensor) -> dict[str, list[list[float]]]:
    """Where the keypoints [count, K, 2] found in training images lie, see `kpdetect.inference.second_pass.Layout`."""
    distances = torch.cdist(keypoints, keypoints).square().mean(dim=0).sqrt()
    parts = {"places": keypoints.mean(dim=0), "distances": distances}
    return {name: [[round(value, 4) for value in row] for row in part.tolist()] for name, part in parts.items()}


def calibrate(detector: nn.Module, batches: Batches, runtime: Runtime, folder: Path) -> Calibration:
    """Fit confidence on varied held-out pairs and as many decoys: every second pair with its decoy gives the map, the others
    `folder`/reliability.png."""
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
    """Share of the keypoints of pairs inside the frame to which [count, K, 2] are near."""
    found, inside = _found(keypoints, pairs)
    return float(found[inside].float().mean())


def _found(keypoints: Tensor, pairs: TrainingPairs) -> tuple[Tensor, Tensor]:
    """Whether keypoints [count, K, 2] are near those of pairs, and whether these lie in the frame; bool [count, K]."""
    return coordinate_distance(keypoints, pairs.keypoints) <= NEAR, (pairs.keypoints.abs() <= 1).all(dim=-1)


def decoys(images: Tensor) -> Tensor:
    """Images [count, 3, height, width] without their object but of the same texture: cut into `TILES` x `TILES` tiles, none
    of which stays at its place. What does not divide stays at the right and lower edge."""
    count, channels, *size = images.shape
    across = min(TILES, *size)
    height, width = (side // across for side in size)
    whole = images[:, :, : across * height, : across * width]
    tiles = whole.reshape(count, channels, across, height, across, width).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    mixed = torch.empty_like(tiles)
    for number in range(count):
        order = np.random.default_rng(number).permutation(across**2)
        mixed[number, order] = tiles[number, np.roll(order, 1)]  # one cycle: no tile stays
    back = mixed.reshape(count, across, across, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    result = images.clone()
    result[:, :, : across * height, : across * width] = back.reshape(whole.shape)
    return result
