"""Sample sheets: one column an image; rows image, keypoints, mask, foreground, background."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator.model import Drawing
from kpdetect.coords import to_pixels
from kpdetect.inference.draw import draw_keypoints


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Images [batch, channels, height, width] in [-1, 1] to uint8 [batch, height, width, channels]."""
    levels = images.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def sample_sheet(drawing: Drawing, scale: int = 2) -> NDArray[np.uint8]:
    """One picture of a generated batch, uint8 [5 * side, batch * side, 3], side = scale * size."""
    size = drawing.image.shape[-1]
    plain = to_uint8(drawing.image).repeat(scale, 1).repeat(scale, 2)
    mask = to_uint8(drawing.mask * 2 - 1).repeat(3, axis=3).repeat(scale, 1).repeat(scale, 2)
    points = to_pixels(drawing.keypoints.float().cpu().numpy(), (size * scale, size * scale))
    marked = [draw_keypoints(image, keypoints) for image, keypoints in zip(plain, points, strict=True)]
    rows = [
        plain,
        marked,
        mask,
        to_uint8(drawing.foreground).repeat(scale, 1).repeat(scale, 2),
        to_uint8(drawing.background).repeat(scale, 1).repeat(scale, 2),
    ]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
