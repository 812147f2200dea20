"""Write image-keypoint pairs of a trained generator to HDF5 files (shards), in one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from generator.stream import PairStream
from kpdetect.data.export import write_shards
from kpdetect.data.schema import Codec
from kpdetect.files.sources import read_sources
from kpdetect.progress import Listener, listening
from kpdetect.training.checkpoints import find_weights
from kpdetect.training.processes import Peers
from kpdetect.training.runtime import DeviceName


@dataclass(frozen=True, kw_only=True)
class ExportedPairs:
    """A folder of image-keypoint pairs.

    Attributes:
        path: the folder, which `kpdetect.read_pairs` opens.
        count: number of pairs in the folder, as far as this process knows.
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

    Under torchrun, every process writes a part of the shards.

    Args:
        model: project folder, run folder or weights file of a generator, or the name of a model that comes with the package.
        out: folder of shards; a call with a larger `count` than before adds the missing pairs.
        count: number of pairs in the folder after the call.
        codec: how images are stored: `jpeg` (quality 95, no chroma subsampling) or `raw` (five times as much disk space).
        shard_size: pairs per shard.
        truncation: factor in (0, 1] on the pose and appearance noise; a lower factor gives more typical, less varied images.
        masks: store the foreground mask of every image too.
        workers: threads that encode images.
        seed: seed of the noise; pair i depends only on the weights, the seed, the truncation and i.
        device: device of the computation.
        progress: function that is called with the progress of the work; None for none.

    Raises:
        InputError: the truncation is out of range.
        CheckpointError: there is no generator at `model`.
        ConfigError: `out` holds pairs of another generator or other settings, or a shard would be too large.
        OutputError: `out` cannot be written, or the disk is full; finished shards are kept.
    """
    model, out = Path(model), Path(out)
    with listening(progress):
        stream = PairStream(model, device, seed=seed, truncation=truncation, masks=masks)
        manifest = write_shards(
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
