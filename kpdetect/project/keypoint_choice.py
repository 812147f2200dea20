"""A project that learns more keypoints than it keeps: after the last training, the most informative keypoints are kept.

The networks keep all keypoints. The labels of the chosen detector (`keypoints.yaml`) drop the other keypoints from all results.
So the trainings can be continued, and a dropped keypoint can be taken back.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.studies.keypoint_choice import NAME, Kept, choose_keypoints, look_at, read_choice
from kpdetect.config import read_config, write_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.files.atomic import write_json
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labels import LABELS, Labels
from kpdetect.inference.predictor import Predictor
from kpdetect.messages import log
from kpdetect.training.checkpoints import WEIGHTS, detector_stages, find_weights
from kpdetect.training.runtime import Runtime


def choose_in_project(out: Path, images: TrainingImages, kept: Kept, runtime: Runtime) -> None:
    """Keep the most informative keypoints of a project's chosen detector, and write `chosen.json`.

    A choice stands until the detector or `kept` changes. Labels that a user has changed since are not touched.

    Args:
        out: project folder.
        images: the images of the project, of which at most `benchmarks.studies.keypoint_choice.IMAGES` are used.
        kept: number of keypoints to keep, or `auto`.
        runtime: device.

    Raises:
        InputError: fewer than 8 images can be read.
        CheckpointError: damaged weights.
        OutputError: the project cannot be written.
    """
    weights = find_weights(out, "detector")
    earlier, digest = read_choice(out / NAME), file_hash(weights)
    if earlier is not None and (earlier.detector, earlier.asked) == (digest, kept):
        return
    if labelled_by_user(out, weights):
        log.info(f"{weights.parent / LABELS} has labels of yours, so the keypoints are not chosen again")
        return
    predictor = Predictor.load(weights, runtime.device.type, labels=Labels())
    choice = choose_keypoints(look_at(predictor, images.paths(out)), kept)
    _take_back(out, but=weights.parent)
    write_config(Labels(drop=choice.dropped, weights=digest), weights.parent / LABELS)
    write_json(out / NAME, choice.to_record(digest, kept))
    log.info(choice.sentence)


def keep_all(out: Path) -> None:
    """Take back all keypoints that an earlier call left out, in all detectors of a project.

    Labels that a user has changed since are not touched.
    """
    yours = _take_back(out)
    (out / NAME).unlink()
    for labels in yours:
        log.info(f"{labels} has labels of yours and is not changed; to take keypoints back, remove them from `drop` there")
    if not yours:
        log.info("no keypoints are left out any more")


def _take_back(out: Path, but: Path | None = None) -> list[Path]:
    """Remove the labels that `chosen.json` explains from all detectors of a project, except those in the folder `but`.

    Without the choice they would look like a user's. Labels of a removed detector, which a later one would get, are among them.

    Returns:
        The files with a user's labels.
    """
    yours = []
    for folder in (out / stage for stage in detector_stages(out)):
        if folder == but or not (folder / LABELS).is_file():
            continue
        if labelled_by_user(out, folder / WEIGHTS):
            yours.append(folder / LABELS)
        else:
            (folder / LABELS).unlink()
    return yours


def labelled_by_user(out: Path, weights: Path) -> bool:
    """Tell whether the labels of one of a project's detectors hold more than the keypoints that `chosen.json` drops."""
    chosen = read_choice(out / NAME)
    path = weights.parent / LABELS
    labels = read_config(Labels, path).model_copy(update={"weights": ""}) if path.is_file() else Labels()
    return labels not in (Labels(), Labels(drop=() if chosen is None else chosen.dropped))
