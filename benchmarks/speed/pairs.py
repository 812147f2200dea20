"""How fast pairs are made and learned from: `python -m benchmarks.speed pairs GENERATOR`.

Export is compared with drawing alone, training from shards with training from memory, each pair of measurements one after the
other in turns; the memory of an export is the process's peak while it writes plain pictures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from generator.export import export_pairs
from generator.stream import BATCH, PairStream
from kpdetect.config import apply_overrides
from kpdetect.data.reader import ShardFolder
from kpdetect.detector.batches import PairBatches
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.train import DetectorTrainer, LearnedFrom
from kpdetect.pairs import PairBatch
from kpdetect.runlog import RunFolder
from kpdetect.runtime import Runtime, resolve_runtime

TURNS = 3
"""How often two things that are compared take turns."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this part."""
    parser.add_argument("model", type=Path, help="project folder, run folder or weights file of a generator")
    parser.add_argument("--pairs", type=int, default=2_048, help="pairs per turn of the export")
    parser.add_argument("--steps", type=int, default=20, help="training steps per turn")
    parser.add_argument(
        "--memory", nargs=2, type=int, default=[10_000, 200_000], help="sizes of the exports whose memory is compared"
    )
    parser.add_argument("--device", default="auto")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Print what is measured; returns it JSON-ready.

    Raises:
        KpdetectError: the generator cannot be used.
    """
    runtime = resolve_runtime(given.device)
    with tempfile.TemporaryDirectory() as folder:
        found = measure_export(PairStream(given.model, runtime), given.pairs, Path(folder))
        found |= measure_feeding(Path(folder) / "jpeg-0", given.steps, runtime, Path(folder))
    small, large = (peak_memory(count) for count in given.memory)
    print(f"peak memory of an export: {small:.0f} MiB for {given.memory[0]:,} pairs, {large:.0f} MiB for {given.memory[1]:,}")
    return found | {"memory_mib": dict(zip(map(str, given.memory), (small, large), strict=True))}


def measure_export(stream: PairStream, count: int, folder: Path) -> dict[str, Any]:
    """Pairs per second drawn alone and exported, and bytes per pair; `folder` gets the pairs."""
    rates: dict[str, list[float]] = {"drawn": [], "jpeg": [], "raw": []}
    sizes = {}
    stream.draw(0)
    for turn in range(TURNS):
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            stream.draw(start)
        rates["drawn"].append(count / (time.perf_counter() - began))
        for codec in ("jpeg", "raw"):
            began = time.perf_counter()
            manifest = export_pairs(stream, folder / f"{codec}-{turn}", count, codec=codec, shard_size=max(64, count // 2))
            rates[codec].append(count / (time.perf_counter() - began))
            sizes[codec] = sum(shard.bytes for shard in manifest.shards) / count
    drawn = float(np.median(rates["drawn"]))
    print(f"drawn alone: {drawn:.1f} pairs/s")
    found: dict[str, Any] = {"drawn_per_second": drawn}
    for codec, size in sizes.items():
        rate = float(np.median(rates[codec]))
        print(
            f"exported as {codec}: {rate:.1f} pairs/s, {rate / drawn:.2f} of drawing alone; {size:,.0f} bytes per pair",
            flush=True,
        )
        found[codec] = {"per_second": rate, "share": rate / drawn, "bytes_per_pair": size}
    return found


def measure_feeding(pairs: Path, steps: int, runtime: Runtime, folder: Path) -> dict[str, Any]:
    """Training images per second with pairs read from shards, and as a share of those kept in memory."""
    config = apply_overrides(DetectorConfig(), ["sample_every=1000000", "checkpoint_every=1000000"])
    trainers = {
        kind: _trainer(pairs, config, runtime, folder / kind, limit) for kind, limit in (("memory", 2**40), ("shards", 0))
    }
    rates: dict[str, list[float]] = {"memory": [], "shards": []}
    for _ in range(TURNS):
        for kind, trainer in trainers.items():
            began = time.perf_counter()
            for _ in range(steps):
                trainer.train_step()
                trainer.step += 1
            rates[kind].append(steps * config.batch / (time.perf_counter() - began))
    memory, shards = (float(np.median(rates[kind])) for kind in ("memory", "shards"))
    print(
        f"detector trained from memory: {memory:.1f} images/s; from shards: {shards:.1f}, {shards / memory:.2f} of it",
        flush=True,
    )
    return {"trained_from_memory": memory, "trained_from_shards": shards, "share": shards / memory}


def _trainer(pairs: Path, config: DetectorConfig, runtime: Runtime, out: Path, limit: int) -> DetectorTrainer:
    folder = ShardFolder(pairs)
    source = PairBatches(folder, config.batch, config.held_out, config.augment, config.seed, memory=limit)
    facts = folder.facts
    learned = LearnedFrom(
        size=facts.size, keypoints=facts.keypoints, provenance=facts.provenance, pairs=len(folder), key="speed", sources=pairs
    )
    return DetectorTrainer(RunFolder(out, config), source, learned, config, runtime)


class Pictures:
    """A source of 64 px pictures that cost nothing to draw."""

    keypoints, size, provenance = 10, (64, 64), {"generator": "noise"}

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Noise; the same for every batch."""
        pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 64, 64, 3), dtype=np.uint8)
        for first in range(start, stop, BATCH):
            count = min(BATCH, stop - first)
            keypoints, visible = np.zeros((count, 10, 2), np.float32), np.ones((count, 10), bool)
            yield PairBatch(images=pixels[:count], keypoints=keypoints, visible=visible)


def peak_memory(count: int) -> float:
    """Peak resident memory, MiB, of a process that exports `count` pictures."""
    code = (
        "import resource, sys, tempfile; from pathlib import Path; from benchmarks.speed.pairs import Pictures, export_pairs\n"
        f"with tempfile.TemporaryDirectory() as folder: export_pairs(Pictures(), Path(folder), {count})\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / (2**20 if sys.platform == "darwin" else 2**10)
