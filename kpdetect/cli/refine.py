"""`kpdetect refine` and `kpdetect imm`: training on real, unlabelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options


def refine(
    ctx: typer.Context,
    model: options.Detector,
    images: options.Images,
    out: options.Out,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Folder of generated image-keypoint pairs. Training continues on these pairs too, so that no keypoint "
            "drifts to another part of the object. "
            "(default: the pairs of the project)"
        ),
    ] = None,
    orientation: options.PairsOrientationOption = options.Orientation.auto,
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
    """Train a detector further on real images without annotations.

    The detector learns to find the same keypoints in an image and in a warped copy of it.
    It also learns keypoints from which the image can be reconstructed.
    """
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.data.training_images import TrainingImages
    from kpdetect.project.detector_training import pairs_of
    from kpdetect.project.detector_training import refine as refine_model
    from kpdetect.project.orientation import for_pairs
    from kpdetect.refinement.config import RefineConfig, require_free
    from kpdetect.refinement.cost import refine_price
    from kpdetect.refinement.job import RefineJob
    from kpdetect.training.distributed import joined_runtime

    require_free(overrides or [])
    options.refuse_with_config(ctx, "orientation")
    named = for_pairs(RefineConfig(), orientation.value, pairs_of(model, pairs))
    base = named if config is None else read_config(RefineConfig, config)
    settings = apply_overrides(base, [*options.assignments(ctx, {"seed": "seed"}), *(overrides or [])])
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        if dry_run:
            listed = TrainingImages.listed(images, exclude_list or [], strict, out, report=runtime.is_main)
            given: dict[str, Any] = {"minutes": minutes, "model": model, "pairs": pairs_of(model, pairs)}
            job = RefineJob(images=listed, out=out, config=settings, runtime=runtime, **given)
            options.print_price(refine_price(job), runtime)
            return
        given = {"minutes": minutes, "strict": strict, "pairs": pairs, "exclude_lists": exclude_list or []}
        trained = refine_model(model, images, out, settings, device=runtime, **given)
        if runtime.is_main:
            print(f"detector: {trained.weights}")


def imm(
    ctx: typer.Context,
    images: options.Images,
    out: options.Out,
    keypoints: Annotated[int, typer.Option("--keypoints", "-k", help="Number of keypoints, from 1 to 64.")] = 10,
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
    """Train a detector by the method of Jakab et al. (2018), known as IMM.

    The detector learns by reconstructing real images from keypoints. It needs no generator.
    """
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.data.training_images import TrainingImages
    from kpdetect.project.detector_training import train_imm
    from kpdetect.refinement.config import imm_config
    from kpdetect.refinement.cost import refine_price
    from kpdetect.refinement.job import RefineJob
    from kpdetect.training.distributed import joined_runtime

    base = imm_config() if config is None else read_config(imm_config(), config)
    chosen = options.assignments(ctx, {"seed": "seed", "keypoints": "keypoints", "crop": "crop"})
    settings = apply_overrides(base, [*chosen, *(overrides or [])])
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        if dry_run:
            listed = TrainingImages.listed(images, exclude_list or [], strict, out, report=runtime.is_main)
            job = RefineJob(images=listed, out=out, config=settings, runtime=runtime, minutes=minutes)
            options.print_price(refine_price(job), runtime)
            return
        given: dict[str, Any] = {"minutes": minutes, "strict": strict, "exclude_lists": exclude_list or []}
        trained = train_imm(images, out, settings, device=runtime, **given)
        if runtime.is_main:
            print(f"detector: {trained.weights}")
