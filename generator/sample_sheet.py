"""Sample sheets with one column per image and the rows image, keypoints, mask, foreground, background."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator.growing import Stage
from generator.keypoints import latents_of
from generator.model import Drawing, Generator
from kpdetect.coords import to_pixels
from kpdetect.draw import draw_keypoints
from kpdetect.training.runtime import Runtime

COLUMNS = 12
"""Number of images on a sheet of a training run."""


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Convert images [batch, 1 or 3, height, width] in [-1, 1] to uint8 RGB [batch, height, width, 3]."""
    return np.ascontiguousarray(to_levels(images).permute(0, 2, 3, 1).cpu().numpy())


def to_levels(images: Tensor) -> Tensor:
    """Convert images [batch, 1 or 3, height, width] in [-1, 1] to uint8 RGB [batch, 3, height, width] on their device."""
    return images.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).expand(-1, 3, -1, -1)


@torch.no_grad()
def draw_samples(generator: Generator, seed: int, stage: Stage, runtime: Runtime) -> NDArray[np.uint8]:
    """Draw the sample sheet at one point of training. All sheets use the same latents, so that they are comparable."""
    latents = latents_of(seed, 0, COLUMNS, generator.config.noise_width).to(runtime.device)
    with runtime.autocast():
        return sample_sheet(generator(latents, stage))


def sample_sheet(drawing: Drawing) -> NDArray[np.uint8]:
    """Draw a generated batch as one picture, uint8 [5 * side, batch * side, 3].

    Without a separate background there are 3 rows instead of 5. Small images are enlarged.
    """
    size = drawing.image.shape[-1]
    plain, mask = to_uint8(drawing.image), to_uint8(drawing.mask * 2 - 1)
    points = to_pixels(drawing.keypoints.float().cpu().numpy(), (size, size))
    marked = [draw_keypoints(image, keypoints) for image, keypoints in zip(plain, points, strict=True)]
    factor = marked[0].shape[0] // size
    rows = [plain, mask, *(to_uint8(layer) for layer in (drawing.foreground, drawing.background) if layer is not None)]
    enlarged = [np.concatenate(list(row.repeat(factor, axis=1).repeat(factor, axis=2)), axis=1) for row in rows]
    return np.concatenate([enlarged[0], np.concatenate(marked, axis=1), *enlarged[1:]], axis=0)
