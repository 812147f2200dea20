"""`kpdetect run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options

MethodOption = Annotated[
    options.Method,
    typer.Option(
        help="Method. auto: correspondence if the pip extra imagenet is installed and no option needs a generator, else gan. "
        "gan: a generator draws images from keypoints, and the detector learns from them. "
        "imm: the detector learns by reconstructing real images (Jakab et al., 2018). "
        "correspondence: the detector learns from clusters of ImageNet features that are matched across the images (after "
        "Tourani et al., 2024); this needs the pip extra imagenet."
    ),
]
Refine = Annotated[
    bool,
    typer.Option(
        "--refine/--no-refine",
        help="After training on generated image-keypoint pairs, train the detector on the real images too.",
    ),
]
Pretrained = Annotated[
    bool,
    typer.Option(
        "--pretrained/--no-pretrained",
        help="Allow weights that were trained on ImageNet, if the pip extra imagenet is installed. --no-pretrained: learn "
        "everything from the images of the folder. --method auto is gan then.",
    ),
]
Rounds = Annotated[
    str | None,
    typer.Option(
        metavar="<int>|auto",
        help="Number of rounds of self-training at the end, from 0 to 9. A round trains a new detector on averaged predictions "
        "of the previous one. auto: up to 3, until a round does not raise the score without labels or the minutes "
        "are used up. (default: auto with --method correspondence, 1 with gan, 0 with imm)",
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Minutes for the training of the whole project and the generation of its pairs, counting earlier runs of the "
        "command. Reading, matching and predicting come in addition; --dry-run says how long the whole command takes, roughly. "
        "Below 4, the detector is neither refined nor self-trained.",
    ),
]
Keypoints = Annotated[
    str | None,
    typer.Option(
        "--keypoints",
        "-k",
        metavar="<int>|auto",
        help="Number of keypoints, from 1 to 64. auto: learn more, and keep those that move and do not repeat another "
        "keypoint. (default: auto with --method correspondence, else 10)",
    ),
]
Spare = Annotated[
    float | None,
    typer.Option(
        min=1,
        help="Learn this many times as many keypoints as --keypoints says, and keep the most informative ones. "
        "(default: 1.6 with --method correspondence, else 1)",
    ),
]


def command(
    ctx: typer.Context,
    images: options.Images,
    out: options.Out,
    keypoints: Keypoints = None,
    size: Annotated[int, typer.Option(help="Side of the generated images in pixels: 32, 64, 128, 256 or 512.")] = 64,
    preset: options.PresetOption = options.Preset.tiny,
    model: options.ModelOption = options.Model.tuned,
    crop: options.CropOption = options.CropName.centre,
    orientation: options.OrientationOption = options.Orientation.auto,
    method: MethodOption = options.Method.auto,
    pretrained: Pretrained = True,
    refine: Refine = True,
    rounds: Rounds = None,
    spare: Spare = None,
    minutes: Minutes = None,
    seed: options.Seed = 0,
    exclude_list: options.Exclude = None,
    strict: options.Strict = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    compile_: options.CompileOption = False,
    tensorboard: options.TensorboardOption = False,
    init_generator: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Start from the weights of this trained generator.")
    ] = None,
    init_detector: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Start from the weights of this trained detector.")
    ] = None,
    dry_run: options.DryRun = False,
    overrides: options.Set = None,
    config: options.Config = None,
) -> None:
    """Learn keypoints from a folder of unlabelled images, find them in the images, and write a report."""
    import shlex
    from logging import INFO

    from kpdetect.cli.main import with_flags
    from kpdetect.messages import log, say
    from kpdetect.project.config import project_config
    from kpdetect.project.pipeline import run_project
    from kpdetect.training.distributed import joined_runtime

    fixed = ("method", "refine", "rounds", "preset", "model", "size", "keypoints", "spare", "crop", "orientation", "seed")
    options.refuse_with_config(ctx, *fixed)
    count: Any = int(keypoints) if keypoints is not None and keypoints.isdecimal() else keypoints
    times: Any = int(rounds) if rounds is not None and rounds.isdecimal() else rounds
    named: Any
    named, why = _method(ctx) if config is None else ("gan", [])
    settings: Any = config or project_config(
        preset.value, size, count, crop.value, seed, named, refined=refine, model=model.value, rounds=times, spare=spare
    )
    with joined_runtime(device.value, precision.value, compiled=compile_, events=tensorboard) as runtime:
        if runtime.is_main and not dry_run:
            say((INFO, reason) for reason in why)
        result = run_project(
            images,
            out,
            settings,
            orientation=orientation.value if config is None else None,
            pretrained=pretrained,
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
            lines = (
                map(with_flags, [*why, *result.plan]) if dry_run else [*result.verdict.splitlines(), f"report: {result.report}"]
            )
            print("\n".join(lines))
            if not dry_run:
                log.info(f"next, to look, name the keypoints and export them: kpdetect studio {shlex.quote(str(out))}")


def _method(context: typer.Context) -> tuple[Any, list[str]]:
    """Return the method, and the reason if it is chosen for the user."""
    from kpdetect.project.method_choice import chosen_method

    given = context.params
    if given["method"] is not options.Method.auto:
        return given["method"].value, []
    wishes = {name: value for name, value in given.items() if options.is_given(context, name)}
    method, why = chosen_method(given["out"], given["overrides"] or [], pretrained=given["pretrained"], given=wishes)
    return method, [why]
