"""`kpdetect train-generator`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kpdetect.cli import options


def command(
    ctx: typer.Context,
    images: options.Images,
    out: options.Out,
    keypoints: Annotated[int, typer.Option("--keypoints", "-k", help="Number of keypoints, from 1 to 64.")] = 10,
    size: Annotated[int, typer.Option(help="Side of the generated images in pixels: 32, 64, 128, 256 or 512.")] = 64,
    preset: options.PresetOption = options.Preset.tiny,
    model: options.ModelOption = options.Model.tuned,
    crop: options.CropOption = options.CropName.centre,
    orientation: options.OrientationOption = options.Orientation.auto,
    minutes: options.Minutes = None,
    image_budget: Annotated[
        int | None,
        typer.Option(
            "--images",
            min=1,
            help="Stop once this many images have been shown in training, counting repeated images and earlier runs of the "
            "command.",
        ),
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
            help="Stop when this many successive measurements show no smaller distance between generated and real images. "
            "0: do not measure.",
        ),
    ] = 0,
    dry_run: options.DryRun = False,
    overrides: options.Set = None,
    config: options.Config = None,
) -> None:
    """Train a generator that draws images from keypoints. Under torchrun several processes share the training."""
    from generator.architectures import generator_config
    from generator.training.cost import generator_price
    from generator.training.job import GeneratorJob
    from kpdetect.config import apply_overrides, read_config
    from kpdetect.data.training_images import TrainingImages
    from kpdetect.project.generator_training import oriented, train_generator, with_feature_network
    from kpdetect.training.distributed import joined_runtime

    options.refuse_with_config(ctx, "preset", "size", "keypoints", "model", "orientation")
    base = generator_config(size, keypoints, preset.value, model.value)
    settings = base if config is None else read_config(type(base), config)
    chosen = options.assignments(ctx, {"seed": "seed", "crop": "data.crop", "patience": "stopping.patience"})
    settings = apply_overrides(settings, [*chosen, *(overrides or [])])
    if image_budget is not None:
        settings = apply_overrides(settings, [f"steps={-(-image_budget // settings.optimiser.batch)}"])
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        if dry_run:
            listed = TrainingImages.listed(images, exclude_list or [], strict, out, report=runtime.is_main)
            wanted: Any = orientation.value if config is None else None
            decisions: list[str] = []
            chosen = [each for each in overrides or [] if each.startswith("model.")]
            settings = oriented(settings, wanted, chosen, listed, out, writes=False, say=decisions.append)
            job = GeneratorJob(images=listed, out=out, config=settings, runtime=runtime, minutes=minutes, initial=init_from)
            options.print_price(generator_price(with_feature_network(job)), runtime, decisions)
            return
        trained = train_generator(
            images,
            out,
            settings,
            orientation=orientation.value if config is None else None,
            overrides=[each for each in overrides or [] if each.startswith("model.")],
            minutes=minutes,
            exclude_lists=exclude_list or [],
            strict=strict,
            init_from=init_from,
            device=runtime,
        )
        if runtime.is_main:
            print(f"generator: {trained.weights}")
