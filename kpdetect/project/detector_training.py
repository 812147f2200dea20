"""Functions that train a detector: on generated pairs, on real images, and by the method IMM (Jakab et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from generator.stream import PairStream
from kpdetect.config import apply_overrides, chosen_config
from kpdetect.data.schema import MANIFEST
from kpdetect.data.training_images import TrainingImages
from kpdetect.detector.config import DetectorConfig, preset_config
from kpdetect.detector.job import DetectorJob
from kpdetect.detector.model import starting_network
from kpdetect.detector.train import run_detector_job
from kpdetect.errors import CheckpointError
from kpdetect.files.names import as_path
from kpdetect.inference.labels import labels_follow
from kpdetect.messages import log
from kpdetect.progress import Listener, listening
from kpdetect.project.orientation import Orientation, for_pairs
from kpdetect.refinement.config import RefineConfig, imm_config, require_free
from kpdetect.refinement.job import RefineJob
from kpdetect.refinement.train import run_refine_job
from kpdetect.training.checkpoints import WEIGHTS, find_weights
from kpdetect.training.runtime import DeviceName, Runtime, as_runtime
from kpdetect.training.trained_model import TrainedModel


def train_detector(
    pairs: Path | str,
    out: Path | str,
    config: DetectorConfig | Path | str | None = None,
    *,
    orientation: Orientation | None = None,
    overrides: Sequence[str] = (),
    minutes: float | None = None,
    init_from: Path | str | None = None,
    device: DeviceName | Runtime = "auto",
    progress: Listener | None = None,
) -> TrainedModel:
    """Train a detector on generated pairs of an image and its keypoints, or continue the training in `out`.

    Args:
        pairs: folder of shards with pairs, or a trained generator. A generator draws new pairs while the detector is trained.
        out: run folder, for checkpoints, logs and weights.
        config: the configuration, or its YAML file; by default the preset `tiny`, with the network of `init_from`. When a run
            is continued, only the keys in `kpdetect.training.loop.BUDGETS`, such as `steps`, may change.
        orientation: directions of the objects: `upright`, `any`, or `auto`, as the generator of the pairs was trained. None:
            what `config` says, or without a configuration `auto`.
        overrides: assignments such as "batch=16", applied last.
        minutes: training time, counting earlier runs of the command. The run ends at this time or at `steps`,
            whichever comes first.
        init_from: detector with whose weights a new run starts. It is ignored when a run is continued.
        device: `auto`, `cpu`, `cuda`, or a `Runtime`, which also sets the precision.
        progress: function that is called with the progress of the work.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError, OutputError: an input or output cannot be used. The message says
            why.
        TrainingError: a loss is not finite. The last good checkpoint is kept.
        KeyboardInterrupt: the user pressed Ctrl-C. The current step is finished and saved first.
    """
    pairs, out, initial = Path(pairs), Path(out), as_path(init_from)
    chosen = chosen_config(config, DetectorConfig, lambda: default_config(out, initial))
    wanted = orientation or ("upright" if config else "auto")
    settings = apply_overrides(for_pairs(chosen, wanted, pairs), overrides)
    job = DetectorJob(pairs=pairs, out=out, config=settings, runtime=as_runtime(device), minutes=minutes, initial=initial)
    with listening(progress), labels_follow(out / WEIGHTS, job.runtime.is_main):
        weights = run_detector_job(with_live_pairs(job))
    return TrainedModel(path=out, weights=weights)


def default_config(out: Path, initial: Path | None) -> DetectorConfig:
    """Return the preset `tiny`, with the network of the weights from which the training in `out` starts."""
    base = preset_config("tiny")
    return base if initial is None else base.model_copy(update={"model": starting_network(out, initial)})


def with_live_pairs(job: DetectorJob) -> DetectorJob:
    """Replace a generator by an endless source of pairs that it draws. A folder of shards stays.

    Raises:
        CheckpointError: the folder has a weights file of another network than a generator.
    """
    pairs = job.pairs
    if not isinstance(pairs, Path) or (pairs / MANIFEST).exists() or not _has_generator(pairs):
        return job
    source = PairStream(pairs, job.runtime, seed=job.config.seed)
    return replace(job, pairs=source, sources=find_weights(pairs, "generator").parent)


def _has_generator(path: Path) -> bool:
    try:
        find_weights(path, "generator")
    except CheckpointError:
        return path.suffix == ".safetensors"  # the usual error asks for weights, not for pairs
    return True


def refine(
    model: Path | str,
    images: Path | str,
    out: Path | str,
    config: RefineConfig | Path | str | None = None,
    *,
    pairs: Path | str | None = None,
    orientation: Orientation | None = None,
    overrides: Sequence[str] = (),
    minutes: float | None = None,
    exclude_lists: Sequence[Path | str] = (),
    strict: bool = False,
    device: DeviceName | Runtime = "auto",
    progress: Listener | None = None,
) -> TrainedModel:
    """Continue training a detector on real, unlabelled images, or continue the run in `out`.

    The detector learns two things: to predict the same keypoints in changed views of an image, and to predict keypoints from
    which the image can be reconstructed.

    Args:
        model: the detector to continue: a project folder, run folder, weights file, or the name of a model that comes with
            kpdetect.
        images: folder of images, searched recursively.
        out: run folder, for checkpoints, logs and weights.
        config: the configuration, or its YAML file. When a run is continued, only the keys in `kpdetect.training.loop.BUDGETS`,
            such as `steps`, may change.
        pairs: folder of shards with generated pairs, which keep the keypoints at their places. By default the pairs of the
            project of `model`.
        orientation: directions of the objects: `upright`, `any`, or `auto`, as the generator of the pairs was trained. None:
            what `config` says, or without a configuration `auto`.
        overrides: assignments such as "batch=16", applied last.
        minutes: training time, counting earlier runs of the command.
        exclude_lists: text files of image names that are never trained on.
        strict: stop at an unreadable image instead of skipping it.
        device: `auto`, `cpu`, `cuda`, or a `Runtime`, which also sets the precision.
        progress: function that is called with the progress of the work.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError, OutputError: an input or output cannot be used. The message says
            why.
        TrainingError: a loss is not finite, or the keypoints collapse; the last good checkpoint is kept.
        KeyboardInterrupt: the user pressed Ctrl-C. The current step is finished and saved first.
    """
    require_free(overrides)
    model, anchors = Path(model), pairs_of(Path(model), as_path(pairs))
    if anchors is None:
        log.info("note: without pairs the keypoints may drift; give the project folder, or `pairs`")
    wanted = orientation or ("upright" if config else "auto")
    settings = apply_overrides(for_pairs(chosen_config(config, RefineConfig, RefineConfig), wanted, anchors), overrides)
    runtime, out = as_runtime(device), Path(out)
    listed = TrainingImages.listed(Path(images), exclude_lists, strict, out, report=runtime.is_main)
    job = RefineJob(images=listed, out=out, config=settings, runtime=runtime, minutes=minutes, model=model, pairs=anchors)
    return _train(job, progress)


def pairs_of(model: Path, pairs: Path | None) -> Path | None:
    """Return the folder of pairs that the user gave, or that of the model's project; None if neither exists."""
    return model / "pairs" if pairs is None and (model / "pairs" / MANIFEST).exists() else pairs


def train_imm(
    images: Path | str,
    out: Path | str,
    config: RefineConfig | Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    minutes: float | None = None,
    exclude_lists: Sequence[Path | str] = (),
    strict: bool = False,
    device: DeviceName | Runtime = "auto",
    progress: Listener | None = None,
) -> TrainedModel:
    """Train a detector by IMM (Jakab et al. 2018), or continue the training in `out`.

    IMM learns keypoints from which it can reconstruct images. It needs no generator.

    Args:
        images: folder of images, searched recursively.
        out: run folder, for checkpoints, logs and weights.
        config: the configuration, or its YAML file; by default `imm_config()`. It sets the number of keypoints and the crop.
        overrides, minutes, exclude_lists, strict, device, progress: see `refine`.

    Raises:
        As `refine`.
    """
    settings = apply_overrides(chosen_config(config, imm_config(), imm_config), overrides)
    runtime, out = as_runtime(device), Path(out)
    listed = TrainingImages.listed(Path(images), exclude_lists, strict, out, report=runtime.is_main)
    return _train(RefineJob(images=listed, out=out, config=settings, runtime=runtime, minutes=minutes), progress)


def _train(job: RefineJob, progress: Listener | None) -> TrainedModel:
    with listening(progress), labels_follow(job.out / WEIGHTS, job.runtime.is_main):
        return TrainedModel(path=job.out, weights=run_refine_job(job))
