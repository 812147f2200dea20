"""What a detector makes of images and pairs it was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kpdetect.detector.batches import Batches
from kpdetect.detector.calibration import NEAR, Calibration, fit_calibration, reliability
from kpdetect.detector.losses import coordinate_distance
from kpdetect.detector.model import read_heatmaps
from kpdetect.detector.reliability_plot import write_reliability_plot
from kpdetect.runtime import Runtime

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
    """Where the keypoints [count, K, 2] found in training images lie, see `kpdetect.inference.second_look.Layout`."""
    distances = torch.cdist(keypoints, keypoints).square().mean(dim=0).sqrt()
    parts = {"places": keypoints.mean(dim=0), "distances": distances}
    return {name: [[round(value, 4) for value in row] for row in part.tolist()] for name, part in parts.items()}


def calibrate(detector: nn.Module, batches: Batches, runtime: Runtime, folder: Path) -> Calibration:
    """Fit confidence on varied held-out pairs and as many decoys: one half of both gives the map, the other
    `folder`/reliability.png."""
    pairs = batches.held_out_varied()
    count = len(pairs.images)
    keypoints, mass = find_keypoints(detector, torch.cat([pairs.images, decoys(pairs.images)]), runtime)
    found, counted = torch.zeros(mass.shape, dtype=torch.bool), torch.ones(mass.shape, dtype=torch.bool)
    found[:count] = coordinate_distance(keypoints[:count], pairs.keypoints) <= NEAR  # nothing can be found in a decoy
    counted[:count] = (pairs.keypoints.abs() <= 1).all(dim=-1)
    fitted = torch.zeros_like(counted)
    fitted[::2] = True
    fit, check = fitted & counted, ~fitted & counted
    calibration = fit_calibration(mass[fit].numpy(), found[fit].numpy())
    if check.any():
        raw, truth = mass[check].numpy(), found[check].numpy()
        path = folder / "reliability.png"
        write_reliability_plot(reliability(raw, truth), reliability(calibration(raw), truth), path)
    return calibration


def decoys(images: Tensor) -> Tensor:
    """Images [count, 3, height, width] without their object but of the same texture: cut into `TILES` x `TILES` tiles, none
    of which stays at its place. What does not divide stays at the right and lower edge."""
    height, width = (side // TILES for side in images.shape[2:])
    mixed = images.clone()
    for number, (image, target) in enumerate(zip(images, mixed, strict=True)):
        order = np.random.default_rng(number).permutation(TILES**2)
        for source, place in zip(order, np.roll(order, 1), strict=True):  # one cycle: no tile stays
            (from_y, from_x), (to_y, to_x) = divmod(int(source), TILES), divmod(int(place), TILES)
            tile = image[:, from_y * height : (from_y + 1) * height, from_x * width : (from_x + 1) * width]
            target[:, to_y * height : (to_y + 1) * height, to_x * width : (to_x + 1) * width] = tile
    return mixed
