"""Write pairs of an image and its keypoints into HDF5 files, called shards.

An interrupted export can be resumed. Pairs are encoded and written while the next ones are drawn."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from kpdetect.data.schema import MANIFEST, Codec, Facts, Manifest, Shard, require_same_facts, shard_name
from kpdetect.data.shard_writer import ShardWriter
from kpdetect.errors import ConfigError
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.lock import locked
from kpdetect.files.sources import read_sources, write_sources
from kpdetect.messages import log
from kpdetect.pairs import PairSource
from kpdetect.progress import Progress
from kpdetect.training.processes import ALONE, Peers

AHEAD = 4
"""Largest number of batches that wait to be written. If this many wait, no further pairs are drawn."""
SHARD_LIMIT = 4 * 2**30
"""Largest size in bytes of the uncompressed images of one shard."""


def write_shards(
    source: PairSource,
    out: Path,
    count: int,
    *,
    codec: Codec = "jpeg",
    shard_size: int = 5_000,
    masks: bool = False,
    sources: Sequence[Sequence[str]] = (),
    workers: int = 2,
    peers: Peers = ALONE,
) -> Manifest:
    """Write the pairs 0 <= i < count of a source into shards. Existing shards are kept.

    Args:
        source: source of the pairs.
        out: folder of shards.
        count: number of pairs. A larger number than before extends the folder.
        codec: `jpeg` or `raw`.
        shard_size: number of pairs per shard.
        masks: store foreground masks too. The source must draw them.
        sources: the real images on which the source of the pairs was trained, as rows (image, sha256). They are listed in `out`
            before the first pair is written.
        workers: number of threads that encode images.
        peers: processes that write the folder together. Each shard is written by one of them.

    Returns:
        The manifest of all shards.

    Raises:
        ConfigError: the pairs in `out` were made differently, or a shard would be too large.
        OutputError: `out` cannot be written, or the disk is full. Finished shards are kept.
    """
    facts = Facts(
        codec=codec,
        size=source.size,
        keypoints=source.keypoints,
        shard_size=shard_size,
        provenance=source.provenance,
        masks=masks,
    )
    _require_moderate(facts)
    make_folder(out)
    known = _finished(out, facts)
    kept = {shard.start: shard for shard in known if _is_whole(out, shard)}
    ranges = peers.share([(start, min(start + shard_size, count)) for start in range(0, count, shard_size)])
    todo = [(start, stop) for start, stop in ranges if start not in kept or kept[start].stop < stop]
    if sources and peers.is_main:
        write_sources(out, dict.fromkeys([*read_sources(out), *map(tuple, sources)]))
    peers.wait()  # pairs must never exist without the list of real images
    if (held := max((shard.stop for shard in known), default=0)) > count:
        log.info(f"{out}: the {held:,} pairs of the same kind in this folder are kept")
    left, share = (sum(stop - start for start, stop in spans) for spans in (todo, ranges))
    damaged = [shard for shard in known if shard.start not in kept]
    manifest = Manifest(facts=facts, shards=tuple(kept.values()))
    if damaged:
        manifest = _updated(out, facts, forget=damaged)
    with Progress(share, "generate", unit="pairs", start=share - left) as progress, ThreadPoolExecutor(workers) as pool:
        for start, stop in todo:
            shard = _write_shard(source, out / shard_name(start // shard_size), facts, (start, stop), pool, progress)
            manifest = _updated(out, facts, add=shard)
    peers.wait()
    return manifest if peers.world == 1 else Manifest.read(out)


def _finished(out: Path, facts: Facts) -> tuple[Shard, ...]:
    if not (out / MANIFEST).exists():
        return ()
    manifest = Manifest.read(out)
    require_same_facts(out, manifest.facts, facts)
    return manifest.shards


def _updated(out: Path, facts: Facts, *, add: Shard | None = None, forget: Sequence[Shard] = ()) -> Manifest:
    """Change the manifest under a lock. Shards that another process has rebuilt in the meantime are kept."""
    with locked(out):
        kept = tuple(shard for shard in _finished(out, facts) if shard not in forget or _is_whole(out, shard))
        manifest = Manifest(facts=facts, shards=kept)
        if add is not None:
            manifest = manifest.including(add)
        manifest.write(out)
    return manifest


def _require_moderate(facts: Facts) -> None:
    size = facts.shard_size * facts.size[0] * facts.size[1] * 3
    if size > SHARD_LIMIT:
        most = SHARD_LIMIT * facts.shard_size // size
        raise ConfigError(
            f"`shard_size={facts.shard_size}`: a shard must fit into memory; at {facts.size[0]} px give at most {most}"
        )


def _is_whole(out: Path, shard: Shard) -> bool:
    path = out / shard.file
    return path.exists() and path.stat().st_size == shard.bytes and file_hash(path) == shard.sha256


def _write_shard(
    source: PairSource, path: Path, facts: Facts, span: tuple[int, int], pool: ThreadPoolExecutor, progress: Progress
) -> Shard:
    """Write one shard. A writer thread encodes and writes while the next batch is drawn."""
    waiting: deque[Future[None]] = deque()
    with ShardWriter(path, facts, *span, pool) as writer, ThreadPoolExecutor(1) as behind:
        for batch in source.batches(*span):
            waiting.append(behind.submit(writer.append, batch))
            while len(waiting) > AHEAD or (waiting and waiting[0].done()):
                waiting.popleft().result()  # raises the error of the writer thread
            progress.update(len(batch))
        for future in waiting:
            future.result()
    return writer.describe()
