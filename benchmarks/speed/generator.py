"""How fast generators train: `python -m benchmarks.speed generator`.

A step is one update of each network on one batch, gradient penalty included at its own rate. FLOP are those of convolutions and
matrix products, counted by torch. The peak is a large bfloat16 (where training uses it) channels-last convolution on the same
machine, measured in the same run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.speed.timing import median_seconds
from generator.config import GeneratorConfig, preset
from generator.layers import StyleConv
from generator.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.data.folder import ImageCache, build_cache
from kpdetect.files import write_text
from kpdetect.heatmaps import gaussian_axes
from kpdetect.images import write_image
from kpdetect.runlog import RunFolder
from kpdetect.runtime import Runtime, resolve_runtime

IMAGES = 64
"""Noise pictures that are trained on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this part."""
    parser.add_argument("--presets", nargs="+", default=["tiny", "small"], help="of tiny, small, paper")
    parser.add_argument("--sizes", nargs="+", type=int, default=[64], help="of 32, 64, 128, 256, 512")
    parser.add_argument("--precisions", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--compiled", action="store_true", help="measure torch.compile too, which takes minutes")
    parser.add_argument("--seconds", type=float, default=10.0, help="to repeat each measurement for")
    parser.add_argument("--operators", type=int, default=12, help="operators in the profile")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--write", type=Path, help="Markdown file for the tables")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Print what is measured; returns it JSON-ready.

    Raises:
        KpdetectError: an unknown preset, size or device.
    """
    tables = [style_table(resolve_runtime(given.device, "float32"), given.seconds)]
    rows, profile = [], ""
    for precision in given.precisions:
        runtime = resolve_runtime(given.device, precision)
        peak = convolution_peak(runtime, given.seconds / 2)
        print(f"convolution peak in {precision}: {peak / 1e9:.0f} GFLOP/s", flush=True)
        for name in given.presets:
            for size in given.sizes:
                with tempfile.TemporaryDirectory() as folder:
                    trainer = small_trainer(preset(name, size), runtime, Path(folder))
                    per_image = flop_per_image(trainer)
                    for compiled in (False, True) if given.compiled else (False,):
                        rows.append(step_row(trainer, f"{name} {size} px", precision, compiled, per_image, peak, given.seconds))
                        print(" | ".join(rows[-1].values()), flush=True)
                    profile = profile or operators(trainer, given.operators)
    print(profile)
    tables.append(markdown(rows))
    if given.write is not None:
        write_text(given.write, "\n".join([*tables, "", "```", profile, "```", ""]))
    return {"style": tables[0], "steps": rows, "profile": profile}


def markdown(rows: list[dict[str, str]]) -> str:
    """Rows with the same keys as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def style_table(runtime: Runtime, seconds: float, keypoints: int = 10, embedding: int = 128, side: int = 84) -> str:
    """FLOP and time of the style convolution over the concatenated map and factorised, batch 8, forward and backward."""
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
    table = markdown(rows)
    print(table, flush=True)
    return table


class FlopCounter(TorchDispatchMode):
    """Adds up torch's own formulas; its FlopCounterMode also follows modules, which fails under `autograd.grad`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        """Run one operator and count it."""
        result = function(*arguments, **(options or {}))
        formula = flop_registry.get(function.overloadpacket)
        if formula is not None:
            self.total += formula(*arguments, **(options or {}), out_val=result)
        return result


def count_flop(call: Callable[[], object]) -> float:
    """Floating-point operations of the convolutions and matrix products of a call."""
    with FlopCounter() as counter:
        call()
    return counter.total


def convolution_peak(runtime: Runtime, seconds: float) -> float:
    """FLOP per second of a 3x3 convolution of 256 channels on 32 images of 32 px."""
    conv = nn.Conv2d(256, 256, 3, padding=1).to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(32, 256, 32, 32, device=runtime.device).contiguous(memory_format=torch.channels_last)
    flop = 2 * 32 * 32 * 32 * 256 * 256 * 9

    @torch.inference_mode()
    def call() -> object:
        with runtime.autocast():
            return conv(images)

    return flop / median_seconds(call, seconds)


def small_trainer(config: GeneratorConfig, runtime: Runtime, folder: Path) -> GeneratorTrainer:
    """A trainer on noise pictures."""
    config = apply_overrides(config, ["checkpoint_every=1000000", "sample_every=1000000"])
    source = np.random.default_rng(0)
    side = round(1.25 * config.model.size)
    for number in range(IMAGES):
        write_image(folder / "images" / f"{number}.png", source.integers(0, 256, (side, side, 3), dtype=np.uint8))
    cache: ImageCache = build_cache(folder / "images", folder / "run", side, "centre", set())
    return GeneratorTrainer(RunFolder(folder / "run", config), cache, config, runtime)


def train_step(trainer: GeneratorTrainer) -> None:
    """One update of each network."""
    trainer.train_step()
    trainer.step += 1


def flop_per_image(trainer: GeneratorTrainer) -> float:
    """Of a training step, the gradient penalty at its own rate."""
    every, batch = trainer.config.optimiser.r1_every, trainer.config.optimiser.batch
    trainer.step = 0
    with_penalty = count_flop(lambda: train_step(trainer))
    if every == 1:
        return with_penalty / batch
    return (with_penalty + (every - 1) * count_flop(lambda: train_step(trainer))) / every / batch


def step_row(
    trainer: GeneratorTrainer, name: str, precision: str, compiled: bool, per_image: float, peak: float, seconds: float
) -> dict[str, str]:
    """Images per second of full steps, their FLOP, and the share of the peak that they reach."""
    if compiled:
        trainer.generator.compile()
        trainer.discriminator.compile()
    every, batch = trainer.config.optimiser.r1_every, trainer.config.optimiser.batch

    def period() -> None:
        for _ in range(every):
            train_step(trainer)

    rate = every * batch / median_seconds(period, seconds)
    return {
        "generator": name,
        "precision": precision,
        "mode": "compiled" if compiled else "eager",
        "images/s": f"{rate:.1f}",
        "GFLOP per image": f"{per_image / 1e9:.2f}",
        "share of peak": f"{rate * per_image / peak:.2f}",
    }


def operators(trainer: GeneratorTrainer, count: int) -> str:
    """Where the time of a few steps goes, by operator."""
    from torch.profiler import ProfilerActivity, profile

    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if trainer.runtime.device.type == "cuda" else [])]
    with profile(activities=kinds) as record:
        for _ in range(4):
            train_step(trainer)
    key = "self_cuda_time_total" if len(kinds) > 1 else "self_cpu_time_total"
    return str(record.key_averages().table(sort_by=key, row_limit=count, max_name_column_width=40))
