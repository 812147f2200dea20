"""The noises behind an image. Those of image i follow from (seed, i) alone, whatever the batch, process or machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Latents:
    """Independent noises (paper 3.1).

    Attributes:
        pose: [batch, noise] ~ N(0, 1); decides the keypoints.
        appearance: [batch, noise] ~ N(0, 1); decides how the parts look.
        background: [batch, noise] ~ N(0, 1); decides the background.
        centre: [batch, 2] ~ U(-1, 1); where the background's positional encoding has its origin.
    """

    pose: Tensor
    appearance: Tensor
    background: Tensor
    centre: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The noises, in order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def of(cls, tensors: Sequence[Tensor]) -> Latents:
        """Latents from what `tensors` gives."""
        return cls(**{field.name: tensor for field, tensor in zip(fields(cls), tensors, strict=True)})

    def to(self, device: torch.device) -> Latents:
        """The same noises on another device."""
        return Latents.of([tensor.to(device) for tensor in self.tensors])

    def part(self, rank: int, world: int) -> Latents:
        """Every `world`-th image, beginning with the `rank`-th."""
        return Latents.of([tensor[rank::world] for tensor in self.tensors])

    def scaled(self, truncation: float) -> Latents:
        """Pose and appearance pulled towards their mean by a factor in (0, 1]: more typical, less varied images."""
        return Latents(
            pose=self.pose * truncation,
            appearance=self.appearance * truncation,
            background=self.background,
            centre=self.centre,
        )


def latents_of(seed: int, start: int, stop: int, width: int) -> Latents:
    """Float32 latents of the images start <= i < stop, each drawn by its own counter-based generator keyed (seed, i)."""
    rows = np.empty((stop - start, 3 * width), dtype=np.float32)
    centres = np.empty((stop - start, 2), dtype=np.float32)
    for row, index in enumerate(range(start, stop)):
        source = np.random.Generator(np.random.Philox(key=[seed, index]))
        rows[row] = source.standard_normal(3 * width)
        centres[row] = source.uniform(-1, 1, 2)
    pose, appearance, background = torch.from_numpy(rows).split(width, dim=1)
    return Latents(pose=pose, appearance=appearance, background=background, centre=torch.from_numpy(centres))


def draw_latents(count: int, width: int, source: torch.Generator) -> Latents:
    """Latents for a training step; much faster than `latents_of`, and dependent on the batch."""
    noise = torch.randn(3, count, width, generator=source)
    centre = torch.rand(count, 2, generator=source) * 2 - 1
    return Latents(pose=noise[0], appearance=noise[1], background=noise[2], centre=centre)
