"""The losses of JPEG compression, applied to a batch of images (ITU-T T.81).

Chroma is halved in resolution, and the cosine coefficients of 8x8 blocks are rounded.

No file is encoded, so all of this runs on a GPU. The quantisation tables and their scaling by quality are those of libjpeg.
Results differ from libjpeg's by one or two levels, because its integer transforms round differently.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
"""Quantisation of the luminance, table K.1 of ITU-T T.81."""
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *[(99,) * 8] * 4,
)  # fmt: skip
"""Quantisation of the chrominance, table K.2 of ITU-T T.81."""
TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


def compress(images: Tensor, quality: Tensor) -> Tensor:
    """Apply the losses of JPEG compression.

    Args:
        images: RGB [batch, 3, height, width], levels 0 to 255.
        quality: JPEG quality of each image, [batch], 1 to 100.

    Returns:
        Images of the same shape, with rounded levels 0 to 255.
    """
    height, width = images.shape[2:]
    padded = functional.pad(images, (0, -width % (2 * BLOCK), 0, -height % (2 * BLOCK)), mode="replicate")
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None, None]
    luma, *chroma = _mixed(padded, TO_YCC).split(1, dim=1)
    luma = _quantised(luma, scale, LUMINANCE)
    small = functional.avg_pool2d(torch.cat(chroma, dim=1), 2) + 128
    small = _quantised(small, scale, CHROMINANCE)
    large = functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False) - 128
    return _mixed(torch.cat([luma, large], dim=1), TO_RGB).round().clamp(0, 255)[:, :, :height, :width]


def _mixed(images: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", _constant(matrix, images.device), images)


def _quantised(planes: Tensor, scale: Tensor, table: tuple[tuple[int, ...], ...]) -> Tensor:
    """Round the cosine coefficients of planes, [batch, channels, height, width], and return the resulting levels."""
    step = ((_constant(table, planes.device) * scale + 50) / 100).floor().clamp(1, 255)[:, :, None, None]
    cosines = _cosines(planes.device)
    count, channels, height, width = planes.shape
    blocks = (planes - 128).view(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    rounded = ((cosines @ blocks @ cosines.T) / step).round() * step
    levels = (cosines.T @ rounded @ cosines).transpose(3, 4).reshape(planes.shape) + 128
    return levels.round().clamp(0, 255)


@cache
def _constant(values: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


@cache
def _cosines(device: torch.device) -> Tensor:
    """Return the orthonormal cosine transform of 8 numbers, a matrix [frequency, position]."""
    place, frequency = torch.arange(BLOCK, dtype=torch.float64), torch.arange(BLOCK, dtype=torch.float64)[:, None]
    matrix = torch.cos((2 * place + 1) * frequency * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix.float().to(device)
