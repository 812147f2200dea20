"""Images of a generator to be measured: between samples, with one part swapped, and with keypoints of real images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from generator.editing.parts import mixed, posed, with_appearance
from generator.keypoints import Parts
from generator.model import Drawing
from generator.sheet import to_uint8
from generator.stream import PairStream

BATCH = 32
OTHER = 1_000_000_007
"""Images this far along in a stream are the others of pairs."""


def part_pairs(stream: PairStream, count: int) -> Iterator[tuple[Parts, Parts]]:
    """`count` pairs of images in batches, as what they are drawn from."""
    for start in range(0, count, BATCH):
        stop = min(start + BATCH, count)
        yield stream.parts(start, stop), stream.parts(OTHER + start, OTHER + stop)


@torch.no_grad()
def interpolated(stream: PairStream, count: int) -> Iterator[NDArray[np.uint8]]:
    """`count` images between two samples each, in batches [images, height, width, 3]: keypoints and embeddings are
    interpolated with t ~ U(0, 1) (for FID_lerp; our reading, the short paper refers to an earlier work)."""
    source = torch.Generator().manual_seed(stream.seed)
    for one, two in part_pairs(stream, count):
        share = torch.rand(len(one.keypoints), generator=source)
        yield to_uint8(stream.network.draw(replace(mixed(one, two, share), centre=one.centre)).image)


@torch.no_grad()
def conditioned(stream: PairStream, keypoints: NDArray[np.floating]) -> Iterator[Drawing]:
    """Drawings of given keypoints [images, K, 2], normalised, in batches; everything else is random."""
    for start in range(0, len(keypoints), BATCH):
        given = torch.from_numpy(np.asarray(keypoints[start : start + BATCH], np.float32)).to(stream.runtime.device)
        yield stream.network.draw(posed(stream.parts(start, start + len(given)), given))


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
    for part in range(one.own):
        yield with_appearance(one, two, [part])
