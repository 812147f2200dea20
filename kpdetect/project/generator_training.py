"""A function that trains a generator, with the pretrained networks that the training uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.metrics.extractors import watched_distance
from generator.architectures import generator_config
from generator.config import GeneratorConfig
from generator.training.train import train_generator as train_on_images
from kpdetect.config import apply_overrides, chosen_config
from kpdetect.data.folder import select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.files.names import as_path
from kpdetect.progress import Listener, listening
from kpdetect.project.orientation import DEFAULT, GENERATOR, Orientation, settle_orientation
from kpdetect.refinement.reconstruction import named_perception
from kpdetect.training.runtime import DeviceName, Runtime, as_runtime
from kpdetect.training.trained_model import TrainedModel


def train_generator(
    images: Path | str,
    out: Path | str,
    config: GeneratorConfig | Path | str | None = None,
    *,
    orientation: Orientation | None = None,
    overrides: Sequence[str] = (),
    minutes: float | None = None,
    exclude_lists: Sequence[Path | str] = (),
    strict: bool = False,
    init_from: Path | str | None = None,
    device: DeviceName | Runtime = "auto",
    progress: Listener | None = None,
) -> TrainedModel:
    """Train a generator on a folder of images, or continue the training in `out`.

    Args:
        images: folder of images of any sizes, searched recursively.
        out: run folder, for checkpoints, logs and weights.
        config: the configuration (`generator_config`), or its YAML file. When a run is continued, only the keys in
            `kpdetect.training.loop.BUDGETS`, such as `steps`, may change.
        orientation: directions of the objects: `upright`, `any`, or `auto`, which tests the images. None: what `config` says,
            or without a configuration the default of `kpdetect train-generator`.
        overrides: assignments such as "seed=3", applied last.
        minutes: training time, counting earlier runs of the command. The run ends at this time or at `steps`,
            whichever comes first.
        exclude_lists: text files of image names that are never trained on.
        strict: stop at an unreadable image instead of skipping it.
        init_from: generator with whose weights a new run starts. It is ignored when a run is continued.
        device: `auto`, `cpu`, `cuda`, or a `Runtime`, which also sets the precision.
        progress: function that is called with the progress of the work.

    Raises:
        InputError, ConfigError, CheckpointError, OutputError: an input or output cannot be used. The message says why.
        TrainingError: a loss is not finite. The last good checkpoint is kept.
        KeyboardInterrupt: the user pressed Ctrl-C. The current step is finished and saved first.
    """
    images, out, runtime = Path(images), Path(out), as_runtime(device)
    settings = apply_overrides(chosen_config(config, GeneratorConfig, generator_config), overrides)
    exclude = excluded_names(images, [Path(each) for each in exclude_lists], report=runtime.is_main)
    select_images(images, set(exclude), out)  # raises the error for a bad folder before anything is written
    wanted = DEFAULT if orientation is None and config is None else orientation
    if wanted is not None:
        crop, possible = settings.data.crop, settings.model.separate_background
        if settle_orientation(wanted, images, out, crop, exclude, strict=strict, possible=possible, writes=runtime.is_main):
            settings = apply_overrides(settings, [*GENERATOR, *overrides])
    judging = settings.optimiser
    with listening(progress):
        weights = train_on_images(
            images,
            out,
            settings,
            runtime,
            minutes=minutes,
            exclude=exclude,
            strict=strict,
            initial=as_path(init_from),
            distance_to=watched_distance(settings.stopping, runtime.device),
            feature_network=named_perception(judging.feature_network, judging.features, "optimiser.features", runtime),
        )
    return TrainedModel(path=out, weights=weights)
