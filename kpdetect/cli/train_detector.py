"""`kpdetect train-detector`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    ctx: typer.Context,
    pairs: Annotated[
        Path,
        typer.Argument(
            help="Folder of image-keypoint pairs from `kpdetect generate`, or a trained generator, which then draws pairs "
            "during the training."
        ),
    ],
    out: options.Out,
    preset: options.PresetOption = options.Preset.tiny,
    orientation: options.PairsOrientationOption = options.Orientation.auto,
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
    """Train a detector on generated image-keypoint pairs. Under torchrun several processes share the training."""
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.detector.config import DetectorConfig, preset_config
    from kpdetect.detector.cost import detector_price
    from kpdetect.detector.job import DetectorJob
    from kpdetect.project.detector_training import default_config, train_detector, with_live_pairs
    from kpdetect.project.orientation import for_pairs
    from kpdetect.training.distributed import joined_runtime

    options.refuse_with_config(ctx, "preset", "orientation")
    named = preset_config(preset.value) if options.is_given(ctx, "preset") else default_config(out, init_from)
    base = for_pairs(named, orientation.value, pairs) if config is None else read_config(DetectorConfig, config)
    settings = apply_overrides(base, [*options.assignments(ctx, {"seed": "seed"}), *(overrides or [])])
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        if dry_run:
            job = DetectorJob(pairs=pairs, out=out, config=settings, runtime=runtime, minutes=minutes, initial=init_from)
            options.print_price(detector_price(with_live_pairs(job)), runtime)
            return
        trained = train_detector(pairs, out, settings, minutes=minutes, init_from=init_from, device=runtime)
        if runtime.is_main:
            print(f"detector: {trained.weights}")
