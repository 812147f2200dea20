"""The choice among a project's detectors: the first one, the refined one and that of each round, by their scores.

Everything that reads the project's detector reads the chosen one (`kpdetect.training.stage_choice`).
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.studies.evidence import evenly_spread
from benchmarks.studies.stage_scores import choose_stage, look_through
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import InputError
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labels import LABELS, copy_labels
from kpdetect.messages import log
from kpdetect.project.keypoint_choice import labelled_by_user
from kpdetect.training.checkpoints import WEIGHTS, detector_stages, find_weights, round_folder
from kpdetect.training.runtime import Runtime
from kpdetect.training.stage_choice import current_choice, read_choice, write_choice


def choose_detector(out: Path, images: TrainingImages, runtime: Runtime) -> None:
    """Choose the detector of a project that is used, and write `stages.json`.

    A choice stands until one of the detectors changes. A project with one detector needs no choice.

    Args:
        out: project folder.
        images: the images of the project, of which at most `benchmarks.studies.evidence.IMAGES` are used.
        runtime: device.

    Raises:
        InputError: fewer than two images can be read.
        CheckpointError: damaged weights.
        OutputError: the project cannot be written.
    """
    weights = trained_detectors(out)
    if len(weights) < 2 or current_choice(out, weights) is not None:
        return
    earlier, pictures = read_choice(out), evenly_spread(images.paths(out))
    if len(pictures) < 2:
        raise InputError(f"{len(pictures)} readable images; to compare detectors, give at least 2")
    seen = {stage: look_through(path, pictures, runtime.device.type) for stage, path in weights.items()}
    choice = choose_stage(seen, {stage: file_hash(path) for stage, path in weights.items()})
    used = weights.get(earlier.chosen) if earlier is not None else None
    _carry_labels(out, used or find_weights(out, "detector"), weights[choice.chosen])
    write_choice(choice, out)
    log.info(choice.sentence)


def trained_detectors(out: Path) -> dict[str, Path]:
    """Find the weights files of a project's detectors by stage, in the order of training."""
    return {stage: path for stage in detector_stages(out) if (path := out / stage / WEIGHTS).is_file()}


def has_scores(out: Path) -> bool:
    """Whether the present detectors of a project have scores."""
    return current_choice(out, trained_detectors(out)) is not None


def reason_to_end(out: Path, number: int) -> str | None:
    """Say why round `number` is not worthwhile; None if it is. A later round than the first is worthwhile if the previous one
    raised the score."""
    if number == 1:
        return None
    choice = current_choice(out, trained_detectors(out))
    if choice is None:
        return f"the detector of round {number - 1} has no score"
    return None if choice.rises_at(round_folder(number - 1)) else f"round {number - 1} did not raise the score beyond its noise"


def _carry_labels(out: Path, used: Path, chosen: Path) -> None:
    """Copy the labels of the detector that was used so far to the chosen one, unless a user has labelled that one."""
    if used == chosen or not (used.parent / LABELS).is_file():
        return
    if labelled_by_user(out, chosen):
        log.info(f"{chosen.parent / LABELS} has labels of its own; those of {used.parent} are not copied")
        return
    copy_labels(used, chosen)
