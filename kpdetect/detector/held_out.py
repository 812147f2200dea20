"""What a detector makes of images and pairs it was not trained on."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from kpdetect.detector.batches import Batches
from kpdetect.detector.calibration import NEAR, Calibration, fit_calibration, reliability
from kpdetect.detector.losses import coordinate_distance
from kpdetect.detector.model import read_heatmaps
from kpdetect.detector.reliability_plot import write_reliability_plot
from kpdetect.runtime import Runtime


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
    """Fit confidence on one half of the varied held-out pairs; the other half gives `folder`/reliability.png."""
    pairs = batches.held_out_varied()
    keypoints, mass = find_keypoints(detector, pairs.images, runtime)
    inside = (pairs.keypoints.abs() <= 1).all(dim=-1)
    found = coordinate_distance(keypoints, pairs.keypoints) <= NEAR
    fitted = torch.zeros_like(inside)
    fitted[::2] = True
    fit, check = fitted & inside, ~fitted & inside
    calibration = fit_calibration(mass[fit].numpy(), found[fit].numpy())
    if check.any():
        raw, truth = mass[check].numpy(), found[check].numpy()
        path = folder / "reliability.png"
        write_reliability_plot(reliability(raw, truth), reliability(calibration(raw), truth), path)
    return calibration
