"""Speed of exporting pairs and of training on them: `python -m benchmarks.speed pairs GENERATOR`.

Pairs are generated images with their keypoints; shards are HDF5 files of pairs. Export is compared with drawing alone, and
training from shards with training from memory. The two computations take short turns, so that other work on the machine slows
both. A share is the median over the turns.

Peak memory is measured in two processes. One exports prepared pictures. The other reads pairs from all of these shards in a
shuffled order.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.timing import Report, Spent, median_share, spent
from generator.stream import BATCH, PairStream
from kpdetect.config import apply_overrides
from kpdetect.data.dataset import PairDataset, ShardShuffle
from kpdetect.data.export import write_shards
from kpdetect.data.schema import Manifest
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.batches import PairBatches
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.learned import LearnedFrom
from kpdetect.detector.train import DetectorTrainer
from kpdetect.pairs import PairBatch
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime, resolve_runtime

READ = 10_000
"""Number of pairs that are read when peak memory is measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("model", type=Path, help="project folder, run folder or weights file of a generator")
    parser.add_argument("--pairs", type=int, default=512, help="pairs per turn of the export")
    parser.add_argument("--steps", type=int, default=10, help="training steps per turn")
    parser.add_argument("--turns", type=int, default=9, help="how often what is compared takes turns")
    parser.add_argument(
        "--memory", nargs=2, type=int, default=[10_000, 200_000], help="numbers of pairs whose memory is compared"
    )
    parser.add_argument("--device", default="auto")


def run(given: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report the measurements, and return them JSON-ready.

    Raises:
        KpdetectError: the generator cannot be used.
    """
    runtime = resolve_runtime(given.device)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure_export(PairStream(given.model, runtime), given.pairs, given.turns, Path(folder), report)
        measured |= measure_feeding(Path(folder) / "jpeg-0", given.steps, given.turns, runtime, Path(folder), report)
    return measured | {"memory_mib": measure_memory(given.memory, report)}


def measure_memory(counts: list[int], report: Report) -> dict[str, dict[str, float]]:
    """Measure the peak resident memory, in MiB, of export and of reading, for each number of pairs."""
    peak_of: dict[str, dict[str, float]] = {"exported": {}, "read": {}}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            for what, call in (("exported", "export_pictures"), ("read", "read_shuffled")):
                peak_of[what][str(count)] = peak_memory(f"{call}(Path({folder!r}), {count})")
    for what, peaks in peak_of.items():
        report(f"peak memory, pairs {what}: {', '.join(f'{int(count):,}: {peak:.0f} MiB' for count, peak in peaks.items())}")
    return peak_of


def measure_export(stream: PairStream, count: int, turns: int, folder: Path, report: Report) -> dict[str, Any]:
    """Measure pairs per second of drawing alone and of export to `folder`, and bytes per exported pair."""
    turns_of: dict[str, list[Spent]] = {"drawn": [], "jpeg": [], "raw": []}
    sizes = {}
    stream.draw(0)
    for turn in range(turns):
        turns_of["drawn"].append(spent(partial(draw_alone, stream, count)))
        for codec in ("jpeg", "raw"):
            out = folder / f"{codec}-{turn}"
            export = partial(write_shards, stream, out, count, codec=codec, shard_size=count)  # type: ignore[arg-type]
            turns_of[codec].append(spent(export))
            sizes[codec] = sum(shard.bytes for shard in Manifest.read(out).shards) / count
    drawn = median_rate(count, turns_of["drawn"])
    report(f"drawn alone: {drawn:.1f} pairs/s")
    measured: dict[str, Any] = {"drawn_per_second": drawn}
    for codec, size in sizes.items():
        rate, share = median_rate(count, turns_of[codec]), median_share(turns_of[codec], turns_of["drawn"])
        report(f"exported as {codec}: {rate:.1f} pairs/s, {share} of drawing alone; {size:,.0f} bytes per pair")
        measured[codec] = {"per_second": rate, "share": asdict(share), "bytes_per_pair": size}
    return measured


def draw_alone(stream: PairStream, count: int) -> None:
    """Draw `count` pairs without keeping them."""
    for start in range(0, count, BATCH):
        stream.draw(start)


def median_rate(count: int, turns: list[Spent]) -> float:
    """Compute the rate per second by the clock: the median over turns, each of which processes `count` things."""
    return count / float(np.median([turn.seconds for turn in turns]))


def measure_feeding(pairs: Path, steps: int, turns: int, runtime: Runtime, folder: Path, report: Report) -> dict[str, Any]:
    """Measure the images per second of training from memory and from shards, and the ratio of the two rates."""
    config = apply_overrides(DetectorConfig(), ["sample_every=1000000", "checkpoint_every=1000000"])
    trainers = {
        kind: _trainer(pairs, config, runtime, folder / kind, limit) for kind, limit in (("memory", 2**40), ("shards", 0))
    }
    turns_of: dict[str, list[Spent]] = {"memory": [], "shards": []}
    for _ in range(turns):
        for kind, trainer in trainers.items():
            train_steps(trainer, 1)
            turns_of[kind].append(spent(partial(train_steps, trainer, steps)))
            trainer.upcoming.close()  # type: ignore[union-attr] # or it prepares batches in the other's turn
            trainer.upcoming = None
    memory, shards = (median_rate(steps * config.batch, turns_of[kind]) for kind in ("memory", "shards"))
    share = median_share(turns_of["shards"], turns_of["memory"])
    report(f"detector trained from memory: {memory:.1f} images/s; from shards: {shards:.1f}, {share} of it")
    return {"trained_from_memory": memory, "trained_from_shards": shards, "share": asdict(share)}


def train_steps(trainer: DetectorTrainer, steps: int) -> None:
    """Train for a few steps."""
    for _ in range(steps):
        trainer.train_step()
        trainer.step += 1


def _trainer(pairs: Path, config: DetectorConfig, runtime: Runtime, out: Path, limit: int) -> DetectorTrainer:
    folder = ShardFolder(pairs)
    source = PairBatches(folder, config.batch, config.held_out, config.augment, config.seed, memory=limit)
    facts = folder.facts
    learned = LearnedFrom(
        size=facts.size, keypoints=facts.keypoints, provenance=facts.provenance, pairs=len(folder), key="speed", sources=pairs
    )
    return DetectorTrainer(RunFolder(out, config), source, learned, config, runtime)


class Pictures:
    """A source of pairs with prepared pictures of 64 px, which need no time to draw."""

    keypoints, size, provenance = 10, (64, 64), {"generator": "noise"}

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield the pairs start <= i < stop; all batches have the same pictures."""
        noise = np.random.default_rng(0).integers(0, 256, (BATCH, 8, 8, 3), dtype=np.uint8)
        pixels = noise.repeat(8, axis=1).repeat(8, axis=2)
        for first in range(start, stop, BATCH):
            count = min(BATCH, stop - first)
            keypoints, visible = np.zeros((count, 10, 2), np.float32), np.ones((count, 10), bool)
            yield PairBatch(images=pixels[:count], keypoints=keypoints, visible=visible)


def export_pictures(folder: Path, count: int) -> None:
    """Write shards with `count` pairs of `Pictures`."""
    write_shards(Pictures(), folder, count)


def read_shuffled(folder: Path, count: int) -> None:
    """Read about `READ` of the `count` pairs, from all shards, in the shuffled order of an epoch."""
    shards = ShardFolder(folder)
    data, order = PairDataset(shards), ShardShuffle(shards.lengths, seed=0)
    for index in islice(order, 0, None, max(1, count // READ)):
        data[index]


def peak_memory(call: str) -> float:
    """Measure the peak resident memory in MiB of a process that runs `call`, code that calls a function of this module."""
    code = f"""from pathlib import Path
from benchmarks.speed.pairs import export_pictures, read_shuffled
from kpdetect.training.machine import peak_resident
{call}
print(peak_resident() / 2**20)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])
