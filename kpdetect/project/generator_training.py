"""A function that trains a generator, with the pretrained networks that the training uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from logging import INFO
from pathlib import Path

from benchmarks.metrics.extractors import watched_distance
from generator.architectures import generator_config
from generator.config import GeneratorConfig
from generator.training.job import GeneratorJob
from generator.training.train import run_generator_job
from kpdetect.config import apply_overrides, chosen_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.files.names import as_path
from kpdetect.messages import say
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
    out, runtime = Path(out), as_runtime(device)
    settings = apply_overrides(chosen_config(config, GeneratorConfig, generator_config), overrides)
    listed = TrainingImages.listed(Path(images), exclude_lists, strict, out, report=runtime.is_main)
    wanted, said = DEFAULT if orientation is None and config is None else orientation, list[str]()
    settings = oriented(settings, wanted, overrides, listed, out, writes=runtime.is_main, say=said.append)
    say((INFO, line) for line in said if runtime.is_main)
    with listening(progress):
        initial = as_path(init_from)
        job = GeneratorJob(images=listed, out=out, config=settings, runtime=runtime, minutes=minutes, initial=initial)
        weights = run_generator_job(with_networks(job))
    return TrainedModel(path=out, weights=weights)


def oriented(
    settings: GeneratorConfig,
    wanted: Orientation | None,
    overrides: Sequence[str],
    images: TrainingImages,
    out: Path,
    *,
    writes: bool,
    say: Callable[[str], object],
) -> GeneratorConfig:
    """Return the settings, changed if the objects have all directions; see `settle_orientation`. None: as the settings say."""
    if wanted is None:
        return settings
    crop, possible = settings.data.crop, settings.model.separate_background
    turned = settle_orientation(wanted, images, out, crop, possible=possible, writes=writes, say=say)
    return apply_overrides(settings, [*GENERATOR, *overrides]) if turned else settings


def with_networks(job: GeneratorJob) -> GeneratorJob:
    """Load the pretrained networks that the settings of a job name.

    Raises:
        ConfigError, InputError, CheckpointError: there is no such network, or there are no weights for it.
    """
    distance = watched_distance(job.config.stopping, job.runtime.device)
    return replace(with_feature_network(job), distance_to=distance)


def with_feature_network(job: GeneratorJob) -> GeneratorJob:
    """Load the pretrained network by which a discriminator judges, if the settings of a job name one.

    A forecast needs no other network.

    Raises:
        ConfigError, CheckpointError: there is no such network, or there are no weights for it.
    """
    optimiser = job.config.optimiser
    network = named_perception(optimiser.feature_network, optimiser.features, "optimiser.features", job.runtime)
    return replace(job, feature_network=network)
