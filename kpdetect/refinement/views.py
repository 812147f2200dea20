"""Two warped views of every real image, one of them also with other colours. Batch t depends only on the seed and t.

A warp is a smooth random map of the plane: an affine map plus a thin-plate spline. It maps images and points exactly.

A warp T maps points of the *view* to points of the *image*: view(p) = image(T(p)). So a keypoint k of the view lies at T(k) in
the image. No warp must be inverted.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kpdetect.coords import Size
from kpdetect.data.augment import AugmentConfig, PixelChanges
from kpdetect.heatmaps import grid_axis
from kpdetect.refinement.config import RefineConfig, WarpConfig
from kpdetect.training.prefetch import prepared
from kpdetect.training.seeds import derived_generator, derived_seed

CPU = torch.device("cpu")
CONTROL = 4
"""Number of control points per side, evenly spaced in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class Warps:
    """One warp per image, in normalised coordinates.

    Attributes:
        linear: [batch, 2, 2], linear part of the affine map.
        shift: [batch, 2], shift of the affine map.
        bends: [batch, CONTROL^2, 2], weights of the spline's radial functions.
    """

    linear: Tensor
    shift: Tensor
    bends: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Map points of the views [batch, count, 2], or [1, count, 2] for all views, to points of the images."""
        return self._map(points, thin_plate(points, control_points(points)))

    def _map(self, points: Tensor, radial: Tensor) -> Tensor:
        return points @ self.linear.transpose(1, 2) + self.shift[:, None] + radial @ self.bends

    def views(self, images: Tensor, size: Size) -> Tensor:
        """Render views [batch, 3, height, width] of images [batch, 3, ..]. Beyond an image, its edge pixels are repeated."""
        points, radial = pixel_grid(size, images.device)
        grid = self._map(points.to(images.dtype), radial.to(images.dtype)).view(-1, *size, 2)
        return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def part(self, rank: int, world: int) -> Warps:
        """Select the warps of every `world`-th image, starting with image number `rank`."""
        rows = slice(rank, None, world)
        return Warps(linear=self.linear[rows], shift=self.shift[rows], bends=self.bends[rows])

    def to(self, device: torch.device) -> Warps:
        """Move the warps to a device."""
        return Warps(linear=self.linear.to(device), shift=self.shift.to(device), bends=self.bends.to(device))


def draw_warps(
    config: WarpConfig,
    count: int,
    source: torch.Generator,
    *,
    mirrored: Tensor | None = None,
    zoom: Tensor | None = None,
) -> Warps:
    """Draw random warps.

    Args:
        config: settings of the warps.
        count: number of warps.
        source: random generator.
        mirrored: bool [count], whether each image is mirrored.
        zoom: [count], factor by which each view is magnified.
    """
    draws = 2 * torch.rand(count, 4, generator=source) - 1
    factor = (1 + config.scale) ** draws[:, 0]
    angle = draws[:, 1] * math.radians(config.rotation)
    cosine, sine = factor * angle.cos(), factor * angle.sin()
    linear = torch.stack([torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1)
    shift = 2 * config.shift * draws[:, 2:]
    moved = 2 * config.bend * torch.randn(count, CONTROL**2, 2, generator=source)
    bends = torch.einsum("ij,bjc->bic", spline_weights(), moved)
    if zoom is not None:
        linear, shift, bends = linear / zoom[:, None, None], shift / zoom[:, None], bends / zoom[:, None, None]
    warps = Warps(linear=linear, shift=shift, bends=bends)
    return warps if mirrored is None else _mirror(warps, mirrored)


def _mirror(warps: Warps, mirrored: Tensor) -> Warps:
    sign = torch.ones(len(mirrored), 2)
    sign[mirrored, 0] = -1  # mirrors the x of the image
    return Warps(linear=warps.linear * sign[:, :, None], shift=warps.shift * sign, bends=warps.bends * sign[:, None])


def thin_plate(points: Tensor, centres: Tensor) -> Tensor:
    """Compute r^2 log r^2 between points [batch, count, 2] and centres [control, 2]: [batch, count, control]."""
    squared = ((points[:, :, None] - centres) ** 2).sum(dim=-1)
    return squared * squared.clamp_min(1e-12).log()


def control_points(like: Tensor) -> Tensor:
    """Make the spline's centres [CONTROL^2, 2], with the type and device of `like`."""
    axis = torch.linspace(-1, 1, CONTROL, dtype=like.dtype, device=like.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], dim=-1).view(-1, 2)


@cache
def spline_weights() -> Tensor:
    """Compute the matrix [control, control] that maps displacements of the control points to weights of the radial functions.

    The affine part of the spline is left out. The weights are orthogonal to affine maps, so the spline only bends the image.
    """
    centres = control_points(torch.zeros((), dtype=torch.float64))
    radial = thin_plate(centres[None], centres)[0]
    affine = torch.cat([torch.ones(len(centres), 1, dtype=torch.float64), centres], dim=1)
    system = torch.cat(
        [torch.cat([radial, affine], dim=1), torch.cat([affine.T, torch.zeros(3, 3, dtype=torch.float64)], dim=1)]
    )
    return torch.linalg.inv(system)[: len(centres), : len(centres)].float()


@cache
def pixel_grid(size: Size, device: torch.device = CPU) -> tuple[Tensor, Tensor]:
    """Compute the normalised centres [1, height * width, 2] of an image's pixels, and the spline's radial functions there."""
    y, x = torch.meshgrid(grid_axis(size[0]), grid_axis(size[1]), indexing="ij")
    points = torch.stack([x, y], dim=-1).view(1, -1, 2)
    radial = thin_plate(points, control_points(points))
    return points.to(device), radial.to(device)


AHEAD = 3
"""Number of batches prepared in advance."""


VIEW_TENSORS = 9
"""Number of tensors of a batch of views."""


@dataclass(frozen=True, kw_only=True)
class Views:
    """One batch of views. Images are float32 [batch, 3, size, size] in [-1, 1].

    Attributes:
        first: a view of each image.
        second: another view of each image.
        student: the second view with other colours, sharpness and noise, and with covered patches.
        warp_first, warp_second: maps from the first and second view to the image.
    """

    first: Tensor
    second: Tensor
    student: Tensor
    warp_first: Warps
    warp_second: Warps

    def to(self, device: torch.device) -> Views:
        """Move the batch to a device."""
        return Views(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors of the batch, in the order that `of` expects."""
        warps = [part for warp in (self.warp_first, self.warp_second) for part in (warp.linear, warp.shift, warp.bends)]
        return self.first, self.second, self.student, *warps

    @classmethod
    def of(cls, tensors: Sequence[Tensor]) -> Views:
        """Make a batch from its tensors, see `tensors`."""
        first, second, student, *parts = tensors
        warps = [Warps(linear=linear, shift=shift, bends=bends) for linear, shift, bends in (parts[:3], parts[3:])]
        return cls(first=first, second=second, student=student, warp_first=warps[0], warp_second=warps[1])


class ViewBatches:
    """An endless sequence of batches of views. A process gets every `world`-th image of a batch, from number `rank` on.

    Args:
        images: uint8 [count, side, side, 3].
        config: settings of the views.
        rank, world: number of this process, and number of processes.
    """

    def __init__(self, images: NDArray[np.uint8], config: RefineConfig, rank: int = 0, world: int = 1) -> None:
        self.images, self.config, self.rank, self.world = images, config, rank, world
        self.pixels = PixelChanges(AugmentConfig(photometric=config.photometric, occlusion=config.occlusion))

    def at(self, step: int) -> Views:
        """Return the batch of a step, or the part of it that belongs to this process."""
        chosen, warps = self.drawn(step)
        images = as_images(np.stack([self.images[index] for index in chosen]))
        first, second = (warp.views(images, (self.config.side, self.config.side)) for warp in warps)
        student = self._recoloured(second, self.seed(step))
        return Views(first=first, second=second, student=student, warp_first=warps[0], warp_second=warps[1])

    def drawn(self, step: int) -> tuple[list[int], list[Warps]]:
        """Draw the numbers of the images of a step, and the warps of both views. Return the part of this process."""
        config, batch = self.config, self.config.batch
        source = derived_generator(config.seed, "views", step)
        chosen = torch.randint(len(self.images), (batch,), generator=source).tolist()
        mirrored = (torch.rand(batch, generator=source) < 0.5) & config.flip
        zoom = config.warp.zoom ** torch.rand(batch, generator=source)
        warps = [draw_warps(config.warp, batch, source, mirrored=mirrored, zoom=zoom) for _ in range(2)]
        return chosen[self.rank :: self.world], [warp.part(self.rank, self.world) for warp in warps]

    def seed(self, step: int) -> int:
        """Return the seed of the changes of colour and of the covered patches in the student's views."""
        return derived_seed(self.config.seed, "colours", step * self.world + self.rank)

    def _recoloured(self, views: Tensor, seed: int) -> Tensor:
        pixels = ((views + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        return as_images(np.stack(self.pixels(pixels, seed)))

    def ahead(self, step: int, workers: int = 1) -> Generator[Views, None, None]:
        """Yield the batches from `step` on, prepared by threads. Close the iterator to end the threads."""
        return prepared(self.at, step, ahead=AHEAD, workers=workers)


def as_images(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert uint8 [batch, height, width, 3] to float32 [batch, 3, height, width] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float().div_(127.5).sub_(1)
