"""Speed of training generators: `python -m benchmarks.speed generator`.

A step is one update of each network on one batch. Only some steps have a gradient penalty, so results are averaged over its
period. FLOP are the operations of convolutions and matrix products, counted by torch. The peak is the rate of a large
channels-last convolution in the same precision, measured in the same run.

`against convolutions` is the time of a step, divided by the time that its convolutions alone need, forward and backward.
`waiting for data` is the share of a step's time in which the step waits for real images.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.speed.operations import convolution_seconds, count_flop
from benchmarks.speed.timing import Report, Stopwatch, finish, median_seconds
from generator.config import GeneratorConfig
from generator.layers import StyleConv
from generator.presets import preset
from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.data.folder import ImageCache, build_cache
from kpdetect.files.atomic import write_text
from kpdetect.heatmaps import gaussian_axes
from kpdetect.images.image_files import write_image
from kpdetect.markdown import markdown_table
from kpdetect.training.cuda_graphs import WARM_STEPS
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime, resolve_runtime

MODES = ("eager", "replayed", "compiled")
IMAGES = 64
"""Number of pictures of noise in the training set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("--presets", nargs="+", default=["tiny", "small"], help="of tiny, small, paper")
    parser.add_argument("--sizes", nargs="+", type=int, default=[32, 64, 128], help="of 32, 64, 128, 256, 512")
    parser.add_argument("--precisions", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument(
        "--modes", nargs="+", choices=MODES, default=list(MODES), help="replayed: on a GPU; compiling takes minutes"
    )
    parser.add_argument("--batch", type=int, help="instead of the preset's; for paper on a CPU")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of each measurement")
    parser.add_argument("--operators", type=int, default=12, help="operators in the profile")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--write", type=Path, help="Markdown file for the tables")


def run(given: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report the measurements, and return them JSON-ready.

    Raises:
        KpdetectError: a preset, size or device is unknown.
    """
    tables = [style_table(resolve_runtime(given.device, "float32"), given.seconds)]
    report(tables[0])
    rows, profiles = [], []
    for precision in given.precisions:
        runtime = resolve_runtime(given.device, precision)
        peak = convolution_peak(runtime, given.seconds / 2)
        report(f"convolution peak in {precision}: {peak / 1e9:.0f} GFLOP/s")
        for name in given.presets:
            for size in given.sizes:
                with tempfile.TemporaryDirectory() as folder:
                    config = preset(name, size)
                    if given.batch is not None:
                        config = apply_overrides(config, [f"optimiser.batch={given.batch}"])
                    trainer = small_trainer(config, runtime, Path(folder))
                    for row in step_rows(trainer, f"{name} {size} px", precision, given.modes, peak, given.seconds):
                        rows.append(row)
                        report(" | ".join(f"{key} {value}" for key, value in row.items()))
                    if precision == given.precisions[0]:
                        profiles.append(f"{name} {size} px, {precision}\n{operators(trainer, given.operators)}")
                        report(profiles[-1])
    tables.append(speed_markdown(rows))
    report(tables[-1])
    if given.write is not None:
        write_text(given.write, "\n\n".join([*tables, "```", *profiles, "```", ""]))
    return {"style": tables[0], "steps": rows, "profiles": profiles}


def speed_markdown(rows: list[dict[str, str]]) -> str:
    """Render rows, which have equal keys, as a Markdown table."""
    return markdown_table(list(rows[0]), [list(row.values()) for row in rows])


def style_table(runtime: Runtime, seconds: float, keypoints: int = 10, embedding: int = 128, side: int = 84) -> str:
    """Compare FLOP and time of the concatenated and the factorised style convolution, forward and backward, at batch 8."""
    torch.manual_seed(0)
    conv = StyleConv(keypoints, embedding, 128).to(runtime.device)
    points = torch.rand(8, keypoints, 2, device=runtime.device) * 2 - 1
    embeddings = torch.randn(8, keypoints, embedding, device=runtime.device)
    along_y, along_x = gaussian_axes(points, (side, side), 0.01)

    def concatenated() -> Tensor:
        heat = along_y[..., :, None] * along_x[..., None, :]
        style = (heat[:, :, None] * embeddings[..., None, None]).flatten(1, 2)
        return functional.conv2d(style, conv.weight.flatten(1, 2), conv.bias, padding=1)

    rows = []
    for name, forward in (("concatenated", concatenated), ("factorised", lambda: conv(along_y, along_x, embeddings))):
        flop = count_flop(lambda forward=forward: forward().sum().backward())  # type: ignore[misc]
        time = median_seconds(lambda forward=forward: forward().sum().backward(), seconds / 4)  # type: ignore[misc]
        rows.append({"style convolution": name, "GFLOP": f"{flop / 1e9:.2f}", "milliseconds": f"{time * 1e3:.1f}"})
    return speed_markdown(rows)


def convolution_peak(runtime: Runtime, seconds: float) -> float:
    """Measure the FLOP per second of a 3x3 convolution of 256 channels on 32 images of 32 px."""
    conv = nn.Conv2d(256, 256, 3, padding=1).to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(32, 256, 32, 32, device=runtime.device).contiguous(memory_format=torch.channels_last)
    flop = 2 * 32 * 32 * 32 * 256 * 256 * 9

    @torch.inference_mode()
    def call() -> object:
        with runtime.autocast():
            return conv(images)

    return flop / median_seconds(call, seconds)


def small_trainer(config: GeneratorConfig, runtime: Runtime, folder: Path) -> GeneratorTrainer:
    """Build a trainer on pictures of noise."""
    config = apply_overrides(config, ["checkpoint_every=1000000", "sample_every=1000000"])
    source = np.random.default_rng(0)
    side = round(1.25 * config.model.size)
    for number in range(IMAGES):
        write_image(folder / "images" / f"{number}.png", source.integers(0, 256, (side, side, 3), dtype=np.uint8))
    cache: ImageCache = build_cache(folder / "images", folder / "run", side, "centre", set())
    return GeneratorTrainer(RunFolder(folder / "run", config), cache, config, runtime)


def train_step(trainer: GeneratorTrainer) -> None:
    """Update each network once."""
    trainer.train_step()
    trainer.step += 1


def over_a_period(trainer: GeneratorTrainer, measure: Callable[[Callable[[], object]], float]) -> float:
    """Average a measure of a training step over one period of the gradient penalty."""
    every = trainer.config.optimiser.r1_every
    trainer.step = 0
    with_penalty = measure(lambda: trainer.train_step())
    if every == 1:
        return with_penalty
    trainer.step = 1
    return (with_penalty + (every - 1) * measure(lambda: trainer.train_step())) / every


def step_seconds(trainer: GeneratorTrainer, seconds: float) -> tuple[float, float]:
    """Measure the mean duration of a step over a period of the gradient penalty, and the share that waits for real images.

    After a warm-up the steps are timed for about `seconds`, at least for one period.
    """
    every = trainer.config.optimiser.r1_every
    trainer.step = 0
    for _ in range(2 if trainer.recorder is None else (WARM_STEPS + 2) * every):
        train_step(trainer)
    first = trainer.step
    waiting = Stopwatch(trainer.batches.take)
    trainer.batches.take = waiting  # type: ignore[method-assign, assignment]
    durations: dict[bool, list[float]] = {True: [], False: []}
    while sum(map(sum, durations.values())) < seconds or trainer.step < first + every:
        penalised, began = trainer.step % every == 0, time.perf_counter()
        train_step(trainer)
        finish()
        durations[penalised].append(time.perf_counter() - began)
    trainer.batches.take = waiting.call  # type: ignore[method-assign]
    share = waiting.seconds / sum(map(sum, durations.values()))
    medians = {kind: statistics.median(times) for kind, times in durations.items() if times}
    return (medians[True] + (every - 1) * medians.get(False, 0.0)) / every, share


def step_rows(
    trainer: GeneratorTrainer, name: str, precision: str, modes: Sequence[str], peak: float, seconds: float
) -> Iterator[dict[str, str]]:
    """Measure full steps: images per second, FLOP, and the share of the peak that the steps reach."""
    batch, recorder = trainer.config.optimiser.batch, trainer.recorder
    trainer.recorder = None
    per_image = over_a_period(trainer, count_flop) / batch
    alone = over_a_period(trainer, convolution_seconds)
    for mode in sorted(modes, key=MODES.index):  # compiled last: it cannot be undone
        trainer.recorder = recorder if mode == "replayed" else None
        if mode == "replayed" and recorder is None:
            continue
        if mode == "compiled":
            trainer.generator.compile()
            trainer.adversary.pixel_discriminator.compile()
        took, waiting = step_seconds(trainer, seconds)
        yield {
            "generator": name,
            "precision": precision,
            "mode": mode,
            "images/s": f"{batch / took:.1f}",
            "GFLOP per image": f"{per_image / 1e9:.2f}",
            "share of peak": f"{batch / took * per_image / peak:.2f}",
            "against convolutions": f"{took / alone:.2f}",
            "waiting for data": f"{waiting:.3f}",
        }


def operators(trainer: GeneratorTrainer, count: int) -> str:
    """Profile a few steps by operator."""
    from torch.profiler import ProfilerActivity, profile

    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if trainer.runtime.device.type == "cuda" else [])]
    with profile(activities=kinds) as record:
        for _ in range(4):
            train_step(trainer)
    key = "self_cuda_time_total" if len(kinds) > 1 else "self_cpu_time_total"
    return str(record.key_averages().table(sort_by=key, row_limit=count, max_name_column_width=40))
