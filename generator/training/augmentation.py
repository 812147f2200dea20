"""Differentiable augmentation for small data sets (DiffAugment, Zhao et al. 2020).

Real and generated images are augmented in the same random ways, so that the discriminator cannot memorise the training
images. Gradients flow through the augmentations to the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import torch
from torch import Tensor

from generator.config import Change

CHANGES: tuple[str, ...] = get_args(Change)
TRANSLATION = 1 / 8
"""Largest shift, as a share of the side; new pixels are 0, the middle grey."""
CUTOUT = 1 / 2
"""Side of the square that is set to 0, as a share of the image's."""


def augment(images: Tensor, changes: Sequence[str], source: torch.Generator) -> Tensor:
    """Augment images [batch, 3, height, width] in [-1, 1]; the random values come from `source`, a CPU generator."""
    for change in changes:
        images = _CHANGES[change](images, source)
    return images


def _draw(images: Tensor, source: torch.Generator) -> Tensor:
    """Draw one number in [0, 1) per image, [batch, 1, 1, 1]."""
    return torch.rand(len(images), 1, 1, 1, generator=source).to(images)


def change_colour(images: Tensor, source: torch.Generator) -> Tensor:
    """Change brightness by -0.5 to 0.5, saturation by 0 to 2, contrast by 0.5 to 1.5."""
    images = images + (_draw(images, source) - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * _draw(images, source))
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (images - middle) * (_draw(images, source) + 0.5)


def translate(images: Tensor, source: torch.Generator) -> Tensor:
    """Shift by whole pixels along both axes."""
    batch, _, height, width = images.shape
    rows = _shifted(batch, height, source).to(images.device)
    columns = _shifted(batch, width, source).to(images.device)
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    number = torch.arange(batch, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[number, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]]
    return (moved * inside[..., None]).permute(0, 3, 1, 2)


def _shifted(batch: int, length: int, source: torch.Generator) -> Tensor:
    """Return the source index of each pixel of an axis, [batch, length]."""
    most = int(length * TRANSLATION + 0.5)
    shift = torch.randint(-most, most + 1, (batch, 1), generator=source)
    return torch.arange(length)[None] + shift


def cut_out(images: Tensor, source: torch.Generator) -> Tensor:
    """Set a square at a random place, which may lie partly outside, to 0."""
    kept_rows = _outside(len(images), images.shape[2], source).to(images.device)
    kept_columns = _outside(len(images), images.shape[3], source).to(images.device)
    return images * (kept_rows[:, :, None] | kept_columns[:, None])[:, None]


def _outside(batch: int, length: int, source: torch.Generator) -> Tensor:
    """Return whether each pixel of an axis is outside of the square, [batch, length]."""
    side = int(length * CUTOUT + 0.5)
    centre = torch.randint(0, length + 1 - side % 2, (batch, 1), generator=source)
    first = centre - side // 2
    place = torch.arange(length)[None]
    return (place < first) | (place >= first + side)


_CHANGES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "colour": change_colour,
    "translation": translate,
    "cutout": cut_out,
}
