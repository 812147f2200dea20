"""Generated images for the measures: interpolated samples, images with one part swapped, and images with given keypoints.

If several processes measure together (`peers`), each of them yields every n-th batch, see `Peers.share`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from generator.editing.parts import mixed, posed, with_appearance
from generator.keypoints import Parts
from generator.model import Drawing
from generator.sample_sheet import to_uint8
from generator.stream import PairStream
from kpdetect.training.processes import ALONE, Peers

BATCH = 32
OTHER = 1_000_000_007
"""The second image of a pair is this many positions further along the stream."""


def part_pairs(stream: PairStream, count: int, peers: Peers = ALONE) -> Iterator[tuple[Parts, Parts]]:
    """Yield the parts (keypoints and embeddings) of `count` pairs of images, in batches."""
    for start in peers.share(range(0, count, BATCH)):
        stop = min(start + BATCH, count)
        yield stream.parts(start, stop), stream.parts(OTHER + start, OTHER + stop)


@torch.no_grad()
def interpolated(stream: PairStream, count: int, peers: Peers = ALONE) -> Iterator[NDArray[np.uint8]]:
    """Yield `count` images, each interpolated between two samples, in batches uint8 [images, height, width, 3].

    Keypoints and embeddings are interpolated with t ~ U(0, 1), for the measure FID_lerp. The four-page LatentKeypointGAN paper
    refers to an earlier work for this, so the details are our reading.
    """
    source = torch.Generator().manual_seed(stream.seed)
    shares = [torch.rand(min(BATCH, count - start), generator=source) for start in range(0, count, BATCH)]
    for share, (one, two) in zip(peers.share(shares), part_pairs(stream, count, peers), strict=True):
        yield to_uint8(stream.network.draw(replace(mixed(one, two, share), centre=one.centre)).image)


@torch.no_grad()
def conditioned(stream: PairStream, keypoints: NDArray[np.floating], peers: Peers = ALONE) -> Iterator[Drawing]:
    """Yield generated images with given keypoints [images, K, 2] (normalised), in batches; everything else is random."""
    for start in peers.share(range(0, len(keypoints), BATCH)):
        points = torch.from_numpy(np.asarray(keypoints[start : start + BATCH], np.float32)).to(stream.runtime.device)
        yield stream.network.draw(posed(stream.parts(start, start + len(points)), points))


@torch.no_grad()
def swap_maps(stream: PairStream, count: int, peers: Peers = ALONE) -> Iterator[NDArray[np.float32]]:
    """Yield difference maps of `count` pairs of images, in batches [pairs, parts, height, width].

    A map shows how a swap of one part's embedding changes the image: the absolute difference, averaged over channels.
    The parts are the keypoints and, last, the background if it has an embedding.
    """
    config = stream.network.config
    for one, two in part_pairs(stream, count, peers):
        before = stream.network.draw(one).image
        changed = list(swapped_parts(one, two))
        if config.separate_background or config.background_part:
            changed.append(replace(one, background=two.background))
        maps = [(stream.network.draw(parts).image - before).abs().mean(dim=1) for parts in changed]
        yield torch.stack(maps, dim=1).float().cpu().numpy()


def swapped_parts(one: Parts, two: Parts) -> Iterator[Parts]:
    """Yield, for each keypoint, the first images with that keypoint's embedding taken from the second images."""
    for part in range(one.own):
        yield with_appearance(one, two, [part])
