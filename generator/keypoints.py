"""Keypoint generator: computes keypoint positions, keypoint embeddings and a background embedding from noises.

Source: the LatentKeypointGAN paper (He et al. 2021), section 3.1.

The noises of image i depend on (seed, i) alone, not on the batch, process or machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor, nn

from generator.config import ModelConfig
from generator.heading import headings_of, opposite, turn_points, without_heading


@dataclass(frozen=True, kw_only=True)
class Latents:
    """Independent noises (paper 3.1).

    Attributes:
        pose: [batch, noise] ~ N(0, 1); decides the keypoints.
        appearance: [batch, noise] ~ N(0, 1); decides the appearance of the parts.
        background: [batch, noise] ~ N(0, 1); decides the background.
        centre: [batch, 2] ~ U(-1, 1); origin of the background's positional encoding.
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
        """Build latents from four tensors in the order of `tensors`."""
        return cls(**{field.name: tensor for field, tensor in zip(fields(cls), tensors, strict=True)})

    def to(self, device: torch.device) -> Latents:
        """Copy the noises to another device."""
        return Latents.of([tensor.to(device) for tensor in self.tensors])

    def part(self, rank: int, world: int) -> Latents:
        """Return the noises of one process: every `world`-th image, from image `rank` on."""
        return Latents.of([tensor[rank::world] for tensor in self.tensors])

    def scaled(self, truncation: float) -> Latents:
        """Multiply pose and appearance by a factor in (0, 1]; a lower factor gives more typical, less varied images."""
        return Latents(
            pose=self.pose * truncation,
            appearance=self.appearance * truncation,
            background=self.background,
            centre=self.centre,
        )


def latents_of(seed: int, start: int, stop: int, width: int) -> Latents:
    """Draw float32 latents of the images start <= i < stop, each from a counter-based generator keyed (seed, i)."""
    rows = np.empty((stop - start, 3 * width), dtype=np.float32)
    centres = np.empty((stop - start, 2), dtype=np.float32)
    for row, index in enumerate(range(start, stop)):
        source = np.random.Generator(np.random.Philox(key=[seed, index]))
        rows[row] = source.standard_normal(3 * width)
        centres[row] = source.uniform(-1, 1, 2)
    pose, appearance, background = torch.from_numpy(rows).split(width, dim=1)
    return Latents(pose=pose, appearance=appearance, background=background, centre=torch.from_numpy(centres))


def draw_latents(count: int, width: int, source: torch.Generator) -> Latents:
    """Draw the latents of a training step. This is much faster than `latents_of`, but an image's noises depend on its batch."""
    noise = torch.randn(3, count, width, generator=source)
    centre = torch.rand(count, 2, generator=source) * 2 - 1
    return Latents(pose=noise[0], appearance=noise[1], background=noise[2], centre=centre)


SLOPE = 0.2
"""Negative slope of every leaky ReLU (paper appendix E)."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a batch of images. Only editing (`generator.editing.parts`) removes parts or adds copies of keypoints.

    Attributes:
        keypoints: [batch, parts, 2], normalised, float32.
        embeddings: [batch, parts, embedding], w_j = w_global * w_const_j (paper Eq. 1) in the tuned model.
        background: [batch, embedding], w_bg.
        centre: [batch, 2], origin of the background's positional encoding.
        presence: [batch, parts], factor on each part's heatmap, 0 for a removed part; None where all are 1.
        copies: for each part after the model's keypoints, the keypoint that it copies (paper 4.5, "adding peaks").
        anchors: [batch, keypoints, 2], reference points of a positional start (first feature map); None: the keypoints.
        headings: [batch, 2], cosine and sine of the angle by which each object is turned; None: all objects are upright.
    """

    keypoints: Tensor
    embeddings: Tensor
    background: Tensor
    centre: Tensor
    presence: Tensor | None = None
    copies: tuple[int, ...] = ()
    anchors: Tensor | None = None
    headings: Tensor | None = None

    @property
    def origins(self) -> Tensor:
        """Reference points [batch, keypoints, 2] of a positional start."""
        return self.keypoints[:, : self.own] if self.anchors is None else self.anchors

    @property
    def own(self) -> int:
        """Number of parts that are keypoints of the model; all later parts are copies."""
        return self.keypoints.shape[1] - len(self.copies)

    @property
    def numbers(self) -> tuple[int, ...]:
        """For each part, the number of its keypoint."""
        return (*range(self.own), *self.copies)

    def upright(self) -> Parts:
        """Return the same parts before their objects are turned."""
        if self.headings is None:
            return self
        return replace(self.turned(opposite(self.headings)), headings=None)

    def turned(self, headings: Tensor) -> Parts:
        """Return upright parts turned about the centre of the image by headings [batch, 2]."""
        anchors = None if self.anchors is None else turn_points(self.anchors, headings)
        return replace(self, keypoints=turn_points(self.keypoints, headings), anchors=anchors, headings=headings)


def three_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Build a three-layer MLP with leaky ReLUs and Kaiming initialisation (paper 3.1, appendix E)."""
    mlp = nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, outputs),
    )
    for layer in mlp:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
            nn.init.zeros_(layer.bias)
    return mlp


def spread_evenly(count: int, radius: float) -> Tensor:
    """Spread positions [count, 2] evenly over a disc, with mean 0, in the pattern of a sunflower's seeds (Vogel 1979)."""
    number = torch.arange(count, dtype=torch.float64)
    distance, angle = radius * ((number + 0.5) / count).sqrt(), number * math.pi * (3 - 5**0.5)
    places = torch.stack([distance * angle.cos(), distance * angle.sin()], dim=1)
    return (places - places.mean(dim=0)).float()


class KeypointGenerator(nn.Module):
    """A network that computes `Parts` from noises. It computes in float32, because bfloat16 errs by whole pixels."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.count, self.divisor, self.turns = config.keypoints, config.pose_divisor, config.orientation == "any"
        self.pose = three_layers(config.noise_width, config.mlp_width, 2 * config.keypoints)
        self.kind, width = config.embedding, config.embedding_width
        if config.pose_scale != 1:
            with torch.no_grad():
                next(reversed(self.pose)).weight.mul_(config.pose_scale)  # type: ignore[operator]
        if config.pose_spread:
            with torch.no_grad():
                first = spread_evenly(config.keypoints, config.pose_spread)
                next(reversed(self.pose)).bias.copy_(first.atanh().flatten() * self.divisor)  # type: ignore[operator]
        if self.kind in ("multiplied", "added"):
            self.appearance = three_layers(config.noise_width, config.mlp_width, width)
        if self.kind == "contrastive":
            self.appearance = three_layers(config.noise_width, config.mlp_width, width * config.keypoints)
        self.background = three_layers(config.noise_width, config.mlp_width, width)
        if self.kind in ("multiplied", "added", "constant"):
            self.constants = nn.Parameter(torch.randn(config.keypoints, width))

    def positions(self, pose: Tensor) -> Tensor:
        """Compute keypoints [batch, keypoints, 2] from pose noise [batch, noise].

        They are in (-1, 1), then turned about the centre if the objects have headings.
        """
        if not self.turns:
            return self._upright(pose)
        return turn_points(self._upright(without_heading(pose)), headings_of(pose))

    def _upright(self, pose: Tensor) -> Tensor:
        return torch.tanh(self.pose(pose) / self.divisor).view(-1, self.count, 2)

    def embeddings(self, appearance: Tensor) -> Tensor:
        """Compute embeddings [batch, keypoints, embedding] from appearance noise; see `ModelConfig.embedding`."""
        if self.kind == "none":
            return appearance.new_ones(len(appearance), self.count, 1)
        if self.kind == "constant":
            return self.constants.expand(len(appearance), -1, -1)
        overall: Tensor = self.appearance(appearance)
        if self.kind == "contrastive":
            return overall.view(len(appearance), self.count, -1)
        return overall[:, None] * self.constants if self.kind == "multiplied" else overall[:, None] + self.constants

    def forward(self, latents: Latents) -> Parts:
        """Compute the parts of a batch."""
        with torch.autocast(latents.pose.device.type, enabled=False):
            return Parts(
                keypoints=self.positions(latents.pose),
                embeddings=self.embeddings(latents.appearance),
                background=self.background(latents.background),
                centre=latents.centre,
                headings=headings_of(latents.pose) if self.turns else None,
            )
