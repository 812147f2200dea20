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


def keypoint_span(keypoints: Tensor) -> float:
    """How large the object is that keypoints [count, K, 2] (normalised) mark: the longer side of the box around those of an
    image, as a share of the image's side; the median over images."""
    inside = keypoints.clamp(-1, 1)
    return float((inside.amax(dim=1) - inside.amin(dim=1)).amax(dim=1).median() / 2)


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
