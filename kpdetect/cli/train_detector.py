"""`kpdetect train-detector`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    ctx: typer.Context,
    pairs: Annotated[
        Path,
        typer.Argument(
            help="Folder of shards from `kpdetect generate`, or a generator, which then draws pairs during training."
        ),
    ],
    out: options.Out,
    preset: options.PresetOption = options.Preset.tiny,
    minutes: options.Minutes = None,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    compile_: options.CompileOption = False,
    tensorboard: options.TensorboardOption = False,
    init_from: options.InitFrom = None,
    dry_run: options.DryRun = False,
    overrides: options.Set = None,
    config: options.Config = None,
) -> None:
    """Train a detector on generated pairs. Under torchrun several processes train together."""
    from generator.stream import PairStream
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.data.schema import MANIFEST
    from kpdetect.detector.config import DetectorConfig, preset_config
    from kpdetect.detector.model import starting_network
    from kpdetect.detector.train import train_detector, train_detector_live
    from kpdetect.detector.trial import detector_price
    from kpdetect.inference.labels import labels_follow
    from kpdetect.training.checkpoints import WEIGHTS, find_weights
    from kpdetect.training.distributed import joined_runtime

    options.refuse_with_config(ctx, "preset")
    base = preset_config(preset.value) if config is None else read_config(DetectorConfig, config)
    if init_from is not None and config is None and not options.is_given(ctx, "preset"):
        base = base.model_copy(update={"model": starting_network(out, init_from)})
    settings = apply_overrides(base, [*options.assignments(ctx, {"seed": "seed"}), *(overrides or [])])
    with (
        joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime,
        nullcontext() if dry_run else labels_follow(out / WEIGHTS, runtime.is_main),
    ):
        live = not (pairs / MANIFEST).exists() and _has_generator(pairs)
        source = PairStream(pairs, runtime, seed=settings.seed) if live else None
        if dry_run:
            price = detector_price(source or pairs, out, settings, runtime, minutes=minutes, initial=init_from)
            options.print_price(price, runtime)
            return
        if source is None:
            weights = train_detector(pairs, out, settings, runtime, minutes=minutes, initial=init_from)
        else:
            sources = find_weights(pairs, "generator").parent
            weights = train_detector_live(source, sources, out, settings, runtime, minutes=minutes, initial=init_from)
        if runtime.is_main:
            print(f"detector: {weights}")


def _has_generator(path: Path) -> bool:
    from kpdetect.errors import CheckpointError
    from kpdetect.training.checkpoints import find_weights

    try:
        find_weights(path, "generator")
    except CheckpointError:
        return path.suffix == ".safetensors"  # the error for a missing weights file speaks of weights, not of pairs
    return True
