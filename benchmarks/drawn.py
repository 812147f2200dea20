"""Images of a generator to be measured: between samples, with one part swapped, and with keypoints of real images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from generator.keypoints import Parts
from generator.latents import latents_of
from generator.model import Drawing
from generator.sheet import to_uint8
from generator.stream import PairStream

BATCH = 32
OTHER = 1_000_000_007
"""Images this far along in a stream are the others of pairs."""


@torch.no_grad()
def parts_of(stream: PairStream, start: int, stop: int) -> Parts:
    """What the images start <= i < stop of a stream are drawn from."""
    latents = latents_of(stream.seed, start, stop, stream.network.config.noise_width)
    parts: Parts = stream.network.parts(latents.to(stream.runtime.device))
    return parts


def part_pairs(stream: PairStream, count: int) -> Iterator[tuple[Parts, Parts]]:
    """`count` pairs of images in batches, as what they are drawn from."""
    for start in range(0, count, BATCH):
        stop = min(start + BATCH, count)
        yield parts_of(stream, start, stop), parts_of(stream, OTHER + start, OTHER + stop)


@torch.no_grad()
def interpolated(stream: PairStream, count: int) -> Iterator[NDArray[np.uint8]]:
    """`count` images between two samples each, in batches [images, height, width, 3]: keypoints and embeddings are
    interpolated with t ~ U(0, 1) (for FID_lerp; our reading, the short paper refers to an earlier work)."""
    source = torch.Generator().manual_seed(stream.seed)
    for one, two in part_pairs(stream, count):
        share = torch.rand(len(one.keypoints), 1, 1, generator=source).to(one.keypoints)
        mixed = Parts(
            keypoints=torch.lerp(one.keypoints, two.keypoints, share),
            embeddings=torch.lerp(one.embeddings, two.embeddings, share),
            background=torch.lerp(one.background, two.background, share[:, 0]),
            centre=one.centre,
        )
        yield to_uint8(stream.network.draw(mixed).image)


@torch.no_grad()
def conditioned(stream: PairStream, keypoints: NDArray[np.floating]) -> Iterator[Drawing]:
    """Drawings of given keypoints [images, K, 2], normalised, in batches; everything else is random."""
    for start in range(0, len(keypoints), BATCH):
        given = torch.from_numpy(np.asarray(keypoints[start : start + BATCH], np.float32)).to(stream.runtime.device)
        yield stream.network.draw(replace(parts_of(stream, start, start + len(given)), keypoints=given))


@torch.no_grad()
def swap_maps(stream: PairStream, count: int) -> Iterator[NDArray[np.float32]]:
    """For `count` pairs, in batches [pairs, parts, height, width]: how much the image changes where one part's embedding is
    swapped, as the mean absolute difference over channels; the parts are the keypoints and, last, the background, where it has
    an embedding."""
    config = stream.network.config
    for one, two in part_pairs(stream, count):
        before = stream.network.draw(one).image
        changed = list(swapped_parts(one, two))
        if config.separate_background or config.background_part:
            changed.append(replace(one, background=two.background))
        maps = [(stream.network.draw(parts).image - before).abs().mean(dim=1) for parts in changed]
        yield torch.stack(maps, dim=1).float().cpu().numpy()


def swapped_parts(one: Parts, two: Parts) -> Iterator[Parts]:
    """The first images with one keypoint's embedding of the second, for each keypoint."""
    for part in range(one.embeddings.shape[1]):
        embeddings = one.embeddings.clone()
        embeddings[:, part] = two.embeddings[:, part]
        yield replace(one, embeddings=embeddings)
