"""Sizes of the models: parameters, and floating-point operations of drawing one image.

    python -m benchmarks.speed counts --write docs/counts.md

The networks run on fake tensors, so that nothing is computed. FLOP counts the operations of convolutions and matrix products;
a multiplication and an addition are two operations.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.speed.generator import speed_markdown
from benchmarks.speed.operations import count_flop
from benchmarks.speed.timing import Report
from generator.architectures import ARCHITECTURES, architecture
from generator.config import GeneratorConfig
from generator.keypoints import Latents
from generator.model import Generator
from generator.presets import PRESETS, preset
from generator.training.discriminator import build_discriminator
from kpdetect.files.atomic import write_text

BATCH = 4
SIZES = (32, 64, 128, 256, 512)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES), help=f"of {', '.join(ARCHITECTURES)}")
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), help="of tiny, small, paper")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="of 32, 64, 128, 256, 512")
    parser.add_argument("--write", type=Path, help="Markdown file for the table")


def run(options: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report the table, and return its rows JSON-ready.

    Raises:
        ConfigError: an unknown model or preset.
    """
    rows = []
    for name in options.presets:
        for size in options.sizes:
            rows += [counted(model, name, size) for model in options.models]
    table = speed_markdown(rows)
    report(table)
    if options.write is not None:
        write_text(options.write, table + "\n")
    return {"rows": rows}


def counted(model: str, name: str, size: int) -> dict[str, str]:
    """Count the parameters and operations of a model with the widths of a preset, for one row of the table."""
    config = architecture(preset(name, size), model)  # type: ignore[arg-type]
    with FakeTensorMode():
        generator, critic = Generator(config.model).eval(), build_discriminator(config.model, config.optimiser)
        flop = drawing_flop(generator, config)
    return {
        "preset": name,
        "size": f"{size}",
        "model": model,
        "generator, M parameters": f"{parameters(generator) / 1e6:.2f}",
        "discriminator, M parameters": f"{parameters(critic) / 1e6:.2f}",
        "drawing, GFLOP per image": f"{flop / 1e9:.2f}",
    }


def parameters(network: nn.Module) -> int:
    """Count the parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def drawing_flop(generator: Generator, config: GeneratorConfig) -> float:
    """Count the FLOP of drawing one image."""
    pose, appearance, background = torch.randn(3, BATCH, config.model.noise_width)
    latents = Latents(pose=pose, appearance=appearance, background=background, centre=torch.randn(BATCH, 2))
    return count_flop(lambda: generator(latents)) / BATCH
