"""`kpdetect refine` and `kpdetect imm`: training on real, unlabelled images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpdetect.cli import options

if TYPE_CHECKING:
    from kpdetect.refinement.config import RefineConfig
    from kpdetect.training.runtime import Runtime

Images = Annotated[Path, typer.Argument(help="Folder of unlabelled images, searched recursively.")]


def refine(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(help="A trained detector: project folder, run folder or weights file.")],
    images: Images,
    out: options.Out,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Folder of shards. Training on them too keeps the keypoints on their places. (default: the project's pairs)"
        ),
    ] = None,
    minutes: options.Minutes = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    strict: options.Strict = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    compile_: options.CompileOption = False,
    tensorboard: options.TensorboardOption = False,
    dry_run: options.DryRun = False,
    overrides: options.Set = None,
    config: options.Config = None,
) -> None:
    """Continue training a detector on real images.

    The detector learns to find the same keypoints in changed views of an image, and keypoints from which the image can be
    reconstructed.
    """
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.data.schema import MANIFEST
    from kpdetect.refinement.config import RefineConfig, require_free
    from kpdetect.training.distributed import joined_runtime

    require_free(overrides or [])
    base = RefineConfig() if config is None else read_config(RefineConfig, config)
    if pairs is None and (model / "pairs" / MANIFEST).exists():
        pairs = model / "pairs"
    if pairs is None:
        print("note: without pairs the keypoints may drift; give the project folder, or --pairs", file=sys.stderr)
    settings = apply_overrides(base, [*options.assignments(ctx, {"seed": "seed"}), *(overrides or [])])
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        _train(settings, model, images, out, pairs, minutes, exclude_list, strict, runtime, dry_run)


def imm(
    ctx: typer.Context,
    images: Images,
    out: options.Out,
    keypoints: Annotated[int, typer.Option("--keypoints", "-k", help="Number of keypoints, 1 to 64.")] = 10,
    crop: options.CropOption = options.CropName.centre,
    minutes: options.Minutes = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    strict: options.Strict = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    compile_: options.CompileOption = False,
    tensorboard: options.TensorboardOption = False,
    dry_run: options.DryRun = False,
    overrides: options.Set = None,
    config: options.Config = None,
) -> None:
    """Train a detector by IMM (Jakab et al. 2018), which reconstructs images from keypoints and needs no generator."""
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.refinement.config import imm_config
    from kpdetect.training.distributed import joined_runtime

    base = imm_config() if config is None else read_config(imm_config(), config)
    chosen = options.assignments(ctx, {"seed": "seed", "keypoints": "keypoints", "crop": "crop"})
    settings = apply_overrides(base, [*chosen, *(overrides or [])])
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        _train(settings, None, images, out, None, minutes, exclude_list, strict, runtime, dry_run)


def _train(
    settings: RefineConfig,
    model: Path | None,
    images: Path,
    out: Path,
    pairs: Path | None,
    minutes: float | None,
    exclude_list: list[Path] | None,
    strict: bool,
    runtime: Runtime,
    dry_run: bool,
) -> None:
    from kpdetect.data.name_lists import excluded_names
    from kpdetect.inference.labels import labels_follow
    from kpdetect.refinement.train import refine_detector
    from kpdetect.refinement.trial import refine_price
    from kpdetect.training.checkpoints import WEIGHTS

    exclude = excluded_names(images, exclude_list or [])
    if dry_run:
        price = refine_price(
            images, out, settings, runtime, model=model, pairs=pairs, minutes=minutes, exclude=exclude, strict=strict
        )
        options.print_price(price, runtime)
        return
    with labels_follow(out / WEIGHTS, runtime.is_main):
        weights = refine_detector(
            images, out, settings, runtime, model=model, pairs=pairs, minutes=minutes, exclude=exclude, strict=strict
        )
    print(f"detector: {weights}")
