"""Pairs of a trained generator into shards, in one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from generator.stream import PairStream
from kpdetect.data.export import export_pairs as write_pairs
from kpdetect.data.schema import Codec
from kpdetect.files.sources import read_sources
from kpdetect.progress import Listener, listening
from kpdetect.training.checkpoints import find_weights
from kpdetect.training.peers import Peers
from kpdetect.training.runtime import DeviceName


@dataclass(frozen=True, kw_only=True)
class ExportedPairs:
    """A folder of pairs.

    Attributes:
        path: the folder, which `kpdetect.read_pairs` opens.
        count: number of pairs that this process knows there.
    """

    path: Path
    count: int


def export_pairs(
    model: Path | str,
    out: Path | str,
    count: int = 20_000,
    *,
    codec: Codec = "jpeg",
    shard_size: int = 5_000,
    truncation: float = 1.0,
    masks: bool = False,
    workers: int = 2,
    seed: int = 0,
    device: DeviceName = "auto",
    progress: Listener | None = None,
) -> ExportedPairs:
    """Write image-keypoint pairs of a trained generator into HDF5 shards; finished shards are kept.

    Under torchrun every process writes its part of them.

    Args:
        model: project folder, run folder, weights file of a generator, or name of a model of the package.
        out: folder of shards; a larger `count` than before extends it.
        count: number of pairs.
        codec: how images are stored: `jpeg` (quality 95 without chroma subsampling) or `raw`, five times larger.
        shard_size: pairs per shard.
        truncation: factor in (0, 1] on the noise: lower is more typical and less varied.
        masks: store the foreground mask of every image too.
        workers: threads that encode images.
        seed: pair i follows from the weights, the seed and i.
        device: where to compute.
        progress: called with the progress of the work.

    Raises:
        InputError: a truncation out of range.
        CheckpointError: there is no generator at `model`.
        ConfigError: `out` holds pairs made differently, or a shard would be too large.
        OutputError: `out` cannot be written, or the disk is full; finished shards are kept.
    """
    model, out = Path(model), Path(out)
    with listening(progress):
        stream = PairStream(model, device, seed=seed, truncation=truncation, masks=masks)
        manifest = write_pairs(
            stream,
            out,
            count,
            codec=codec,
            shard_size=shard_size,
            masks=masks,
            sources=read_sources(find_weights(model, "generator").parent),
            workers=workers,
            peers=Peers.here(),
        )
    return ExportedPairs(path=out, count=manifest.count)
