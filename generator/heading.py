"""Headings: each drawn object is turned about the centre of the image by an angle of its own (`ModelConfig.orientation`).

A heading is (cosine, sine) of the angle. Angles are clockwise, because y points down.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

NOISES = 2
"""Pose noises that decide the heading. Their direction is uniform on the circle, because normal noise has no direction."""


def headings_of(pose: Tensor) -> Tensor:
    """Return headings [batch, 2] of pose noises [batch, noise]: the direction of the first two noises."""
    return functional.normalize(pose[:, :NOISES], dim=1)


def without_heading(pose: Tensor) -> Tensor:
    """Set the noises of the heading to 0, so that the shape of an object does not depend on its heading."""
    return torch.cat([torch.zeros_like(pose[:, :NOISES]), pose[:, NOISES:]], dim=1)


def opposite(headings: Tensor) -> Tensor:
    """Return the headings [batch, 2] of the opposite angles."""
    return headings * headings.new_tensor([1, -1])


def combined(one: Tensor, two: Tensor) -> Tensor:
    """Return the headings [batch, 2] of the sums of angles."""
    (cosine, sine), (other_cosine, other_sine) = one.unbind(dim=1), two.unbind(dim=1)
    return torch.stack([cosine * other_cosine - sine * other_sine, sine * other_cosine + cosine * other_sine], dim=1)


def between(one: Tensor, two: Tensor, share: Tensor) -> Tensor:
    """Return the headings [batch, 2] at a share [batch or 1, 1] of the way, along the shorter arc, from one to two."""
    cosine, sine = combined(two, opposite(one)).unbind(dim=1)
    angle = torch.atan2(sine, cosine)[:, None] * share
    return combined(one.expand(len(angle), -1), torch.cat([angle.cos(), angle.sin()], dim=1))


def rotations(headings: Tensor) -> Tensor:
    """Return the matrices [batch, 2, 2] that turn column vectors by headings [batch, 2]."""
    cosine, sine = headings.unbind(dim=1)
    return torch.stack([torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1)


def turn_points(points: Tensor, headings: Tensor) -> Tensor:
    """Turn normalised points [batch, count, 2] about the centre of the image.

    The products are written out, because a matrix product would compute in bfloat16 where that is the precision.
    """
    (x, y), (cosine, sine) = points.unbind(dim=2), headings[:, None].unbind(dim=2)
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=2)


def turn_images(images: Tensor, headings: Tensor, beyond: str) -> Tensor:
    """Turn images [batch, channels, side, side] about their centre, float32.

    `beyond` is what lies outside of the image: `border` repeats its edge pixels, `zeros` is 0.
    """
    with torch.autocast(images.device.type, enabled=False):
        maps = functional.pad(rotations(opposite(headings)).float(), (0, 1))
        grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
        return functional.grid_sample(images.float(), grid, mode="bilinear", padding_mode=beyond, align_corners=False)


def best_headings(points: Tensor, target: Tensor) -> Tensor:
    """Return the headings [batch, 2] that turn points [batch, count, 2] best onto target points (Procrustes analysis).

    Both sets of points are compared relative to their means.
    """
    before, after = (each - each.mean(dim=1, keepdim=True) for each in (points, target))
    cosine = (before * after).sum(dim=(1, 2))
    sine = (before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]).sum(dim=1)
    upright = torch.stack([torch.ones_like(cosine), torch.zeros_like(sine)], dim=1)
    best = torch.stack([cosine, sine], dim=1)
    return torch.where(best.norm(dim=1, keepdim=True) > 1e-12, functional.normalize(best, dim=1), upright)
