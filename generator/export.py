"""Pairs into HDF5 shards: resumable, whole shards only, encoding and writing behind the generator's back."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from kpdetect.data.schema import MANIFEST, Codec, Facts, Manifest, Shard, require_same_facts, shard_name
from kpdetect.data.writer import ShardWriter
from kpdetect.errors import ConfigError
from kpdetect.files import copy_sources, file_hash, make_folder
from kpdetect.pairs import PairSource
from kpdetect.progress import Progress

AHEAD = 4
"""Batches that may wait for the disk before the generator waits too."""
SHARD_LIMIT = 4 * 2**30
"""Bytes of the images of one shard, not compressed."""


def export_pairs(
    source: PairSource,
    out: Path,
    count: int,
    *,
    codec: Codec = "jpeg",
    shard_size: int = 5_000,
    sources_from: Path | None = None,
) -> Manifest:
    """Write the pairs 0 <= i < count of a source into shards, keeping those that are there already.

    Args:
        source: makes the pairs.
        out: folder of shards.
        count: number of pairs; a larger one than before extends the folder.
        codec: `jpeg` or `raw`.
        shard_size: pairs per shard.
        sources_from: folder whose record of real images is handed on.

    Raises:
        ConfigError: `out` holds pairs made differently, or a shard would be too large.
        OutputError: `out` cannot be written, or the disk is full; finished shards are kept.
    """
    facts = Facts(
        codec=codec, size=source.size, keypoints=source.keypoints, shard_size=shard_size, provenance=source.provenance
    )
    _require_moderate(facts)
    make_folder(out)
    manifest = Manifest(facts=facts)
    if (out / MANIFEST).exists():
        manifest = Manifest.read(out)
        require_same_facts(out, manifest.facts, facts)
    kept = {shard.start: shard for shard in manifest.shards if _is_whole(out, shard)}
    ranges = [(start, min(start + shard_size, count)) for start in range(0, count, shard_size)]
    todo = [(start, stop) for start, stop in ranges if start not in kept or kept[start].stop < stop]
    manifest = Manifest(facts=facts, shards=tuple(kept[start] for start in sorted(kept)))
    if sources_from is not None:
        copy_sources(sources_from, out)
    left = sum(stop - start for start, stop in todo)
    with Progress(count, "generate", unit="pairs", start=count - left) as progress, ThreadPoolExecutor(2) as pool:
        for start, stop in todo:
            shard = _write_shard(source, out / shard_name(start // shard_size), facts, (start, stop), pool, progress)
            manifest = manifest.including(shard)
            manifest.write(out)
    manifest.write(out)
    return manifest


def _require_moderate(facts: Facts) -> None:
    size = facts.shard_size * facts.size[0] * facts.size[1] * 3
    if size > SHARD_LIMIT:
        most = SHARD_LIMIT * facts.shard_size // size
        raise ConfigError(
            f"--shard-size {facts.shard_size}: a shard is held in memory; at {facts.size[0]} px take at most {most}"
        )


def _is_whole(out: Path, shard: Shard) -> bool:
    path = out / shard.file
    return path.exists() and path.stat().st_size == shard.bytes and file_hash(path) == shard.sha256


def _write_shard(
    source: PairSource, path: Path, facts: Facts, span: tuple[int, int], pool: ThreadPoolExecutor, progress: Progress
) -> Shard:
    """Write one shard; a single writer thread encodes and writes while the next batch is drawn."""
    waiting: deque[Future[None]] = deque()
    with ShardWriter(path, facts, *span, pool) as writer, ThreadPoolExecutor(1) as behind:
        for batch in source.batches(*span):
            waiting.append(behind.submit(writer.append, batch))
            while len(waiting) > AHEAD or (waiting and waiting[0].done()):
                waiting.popleft().result()  # raises here what went wrong there
            progress.update(len(batch))
        for future in waiting:
            future.result()
    return writer.describe()
