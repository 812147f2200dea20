"""`kpdetect train-generator`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options


def command(
    ctx: typer.Context,
    images: Annotated[Path, typer.Argument(help="Folder of images, searched recursively.")],
    out: options.Out,
    keypoints: Annotated[int, typer.Option("--keypoints", "-k", help="Number of keypoints, 1 to 64.")] = 10,
    size: Annotated[int, typer.Option(help="Side of the generated images: 32, 64, 128, 256 or 512.")] = 64,
    preset: options.PresetOption = options.Preset.tiny,
    model: options.ModelOption = options.Model.tuned,
    crop: options.CropOption = options.CropName.centre,
    minutes: options.Minutes = None,
    image_budget: Annotated[
        int | None, typer.Option("--images", min=1, help="Stop after this many training images, summed over all continuations.")
    ] = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    strict: options.Strict = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    compile_: options.CompileOption = False,
    tensorboard: options.TensorboardOption = False,
    init_from: options.InitFrom = None,
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Stop after this many measurements of the distance to real images without improvement; 0 never stops early.",
        ),
    ] = 0,
    dry_run: options.DryRun = False,
    overrides: options.Set = None,
    config: options.Config = None,
) -> None:
    """Train a generator on a folder of images. Under torchrun several processes train together."""
    from benchmarks.metrics.extractors import watched_distance
    from generator.architectures import architecture
    from generator.presets import preset as preset_config
    from generator.training.train import train_generator
    from generator.training.trial import generator_price
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.data.name_lists import excluded_names
    from kpdetect.refinement.reconstruction import named_perception
    from kpdetect.training.distributed import joined_runtime

    options.refuse_with_config(ctx, "preset", "size", "keypoints", "model")
    base = architecture(preset_config(preset.value, size, keypoints), model.value)
    settings = base if config is None else read_config(type(base), config)
    chosen = options.assignments(ctx, {"seed": "seed", "crop": "data.crop", "patience": "stopping.patience"})
    settings = apply_overrides(settings, [*chosen, *(overrides or [])])
    if image_budget is not None:
        settings = apply_overrides(settings, [f"steps={-(-image_budget // settings.optimiser.batch)}"])
    judging = settings.optimiser
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        given: dict[str, Any] = {
            "minutes": minutes,
            "exclude": excluded_names(images, exclude_list or [], report=runtime.is_main),
            "strict": strict,
            "initial": init_from,
            "feature_network": named_perception(judging.feature_network, judging.features, "optimiser.features", runtime),
        }
        if dry_run:
            options.print_price(generator_price(images, out, settings, runtime, **given), runtime)
            return
        distance_to = watched_distance(settings.stopping, runtime.device)
        weights = train_generator(images, out, settings, runtime, distance_to=distance_to, **given)
        if runtime.is_main:
            print(f"generator: {weights}")
