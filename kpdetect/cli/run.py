"""`kpdetect run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    ctx: typer.Context,
    images: Annotated[Path, typer.Argument(help="Folder of unlabelled images, searched recursively.")],
    out: options.Out,
    keypoints: Annotated[int, typer.Option("--keypoints", "-k", help="Number of keypoints, 1 to 64.")] = 10,
    size: Annotated[int, typer.Option(help="Side of the generated images: 32, 64, 128, 256 or 512.")] = 64,
    preset: options.PresetOption = options.Preset.tiny,
    model: options.ModelOption = options.Model.tuned,
    crop: options.CropOption = options.CropName.centre,
    method: Annotated[
        options.Method,
        typer.Option(
            help="gan trains on images that a generator draws from keypoints; imm reconstructs real images (Jakab et al. 2018)."
        ),
    ] = options.Method.gan,
    refine: Annotated[
        bool, typer.Option("--refine/--no-refine", help="Train the detector on the real images too, after the pairs.")
    ] = True,
    rounds: Annotated[
        int | None,
        typer.Option(min=0, max=9, help="Number of rounds of self-training at the end. (default: 1; 0 with --method imm)"),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Training minutes of the whole project. The stages share them.")
    ] = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    strict: options.Strict = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    compile_: options.CompileOption = False,
    tensorboard: options.TensorboardOption = False,
    init_generator: Annotated[Path | None, typer.Option(metavar="MODEL", help="Start from this trained generator.")] = None,
    init_detector: Annotated[Path | None, typer.Option(metavar="MODEL", help="Start from this trained detector.")] = None,
    dry_run: options.DryRun = False,
    overrides: options.Set = None,
    config: options.Config = None,
) -> None:
    """Train a detector on a folder of images, predict their keypoints, and write a report."""
    import shlex

    from kpdetect.cli.main import with_flags
    from kpdetect.messages import log
    from kpdetect.project.config import project_config
    from kpdetect.project.pipeline import run_project
    from kpdetect.training.distributed import joined_runtime

    options.refuse_with_config(ctx, "method", "refine", "rounds", "preset", "model", "size", "keypoints", "crop", "seed")
    chosen = project_config(
        preset.value, size, keypoints, crop.value, seed, method.value, refined=refine, model=model.value, rounds=rounds
    )
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        result = run_project(
            images,
            out,
            chosen if config is None else config,
            minutes=minutes,
            overrides=overrides or [],
            exclude_lists=exclude_list or [],
            strict=strict,
            init_generator=init_generator,
            init_detector=init_detector,
            dry_run=dry_run,
            device=runtime,
        )
        if runtime.is_main:
            lines = map(with_flags, result.plan) if dry_run else [*result.verdict.splitlines(), f"report: {result.report}"]
            print("\n".join(lines))
            if not dry_run:
                log.info(f"next, to look, name the keypoints and export them: kpdetect studio {shlex.quote(str(out))}")
