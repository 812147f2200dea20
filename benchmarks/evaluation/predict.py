"""Predict the keypoints of a data set's images and store them in `predictions.h5`. This is the first stage of a benchmark.

The model sees the protocol's crop of an image file. Its keypoints are stored in pixels of the whole file. A later call uses
the stored predictions only if weights, kept keypoints, images, crops and code are unchanged. Keypoints that the labels drop are
left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.contamination import seen_images
from benchmarks.evaluation.prediction_file import NAME, Entry, entry_key, entry_keys, read_entry, shown_contents, write_entry
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labels import labels_of
from kpdetect.inference.predictions import Predictions
from kpdetect.progress import Progress
from kpdetect.training.checkpoints import detector_stages, find_weights, read_description, read_detector_description
from kpdetect.training.run_folder import code_commit, environment, read_metrics

if TYPE_CHECKING:
    from kpdetect.inference.predictor import Predictor

BLOCK = 32
"""Number of images that are read and predicted at once."""
UNKNOWN = "unknown"
"""The commit of code outside of a git checkout."""
COMPUTING = ("kpdetect", "torch", "timm", "opencv-python", "numpy")
"""Packages whose versions stand for the code if its commit is unknown."""


def predict(model: Path, landmark_set: LandmarkSet, out: Path) -> Entry:
    """Predict the images of a benchmark, or read the predictions of an earlier call from `out/predictions.h5`.

    Args:
        model: weights file, detector folder or project folder.
        landmark_set: annotated images.
        out: folder of `predictions.h5`.

    Raises:
        CheckpointError: `model` has no detector weights.
        InputError: an image file is damaged.
        FormatError: `predictions.h5` is not a prediction file.
        OutputError: `out` cannot be written.
    """
    weights = find_weights(model, "detector")
    path, checkpoint = out / NAME, file_hash(weights)
    contents = shown_contents(landmark_set)
    kept = _kept(path, landmark_set, checkpoint)
    if kept is not None and _is_current(kept, landmark_set, contents, kept_numbers(weights)):
        return kept
    entry = Entry(
        data=landmark_set.name,
        predictions=_predict(weights, landmark_set),
        contents=contents,
        seen=seen_images(weights.parent, landmark_set),
        model=describe_model(weights),
        environment=environment(),
    )
    write_entry(path, entry)
    return entry


def kept_numbers(weights: Path) -> tuple[int, ...]:
    """Return the numbers of the keypoints that the labels of a detector keep."""
    return labels_of(weights).skeleton(read_detector_description(weights).keypoints).numbers


def describe_model(weights: Path) -> dict[str, Any]:
    """Describe a detector for a result: the weights' hash and description, and minutes of training by stage."""
    minutes = minutes_trained(weights.parent)
    return {"hash": file_hash(weights), "description": read_description(weights), "minutes": minutes}


def minutes_trained(detector: Path) -> dict[str, float]:
    """Read the minutes of training by stage from the metrics of a detector's run folder and of the earlier stages' folders."""
    minutes = {}
    project, stages = detector.parent, detector_stages(detector.parent)
    before = stages[: stages.index(detector.name)] if detector.name in stages else []
    last = detector.name if detector.name in stages else "detector"
    folders = {stage: project / stage for stage in ("generator", *before)} | {last: detector}
    for stage, folder in folders.items():
        seconds = [row["seconds"] for row in read_metrics(folder / "metrics.jsonl") if "seconds" in row]
        if seconds:
            minutes[stage] = max(seconds) / 60
    return minutes


def _kept(path: Path, landmark_set: LandmarkSet, checkpoint: str) -> Entry | None:
    exists = path.exists() and entry_key(landmark_set.name, checkpoint) in entry_keys(path)
    return read_entry(path, landmark_set.name, checkpoint) if exists else None


def _is_current(kept: Entry, landmark_set: LandmarkSet, contents: list[str], numbers: tuple[int, ...]) -> bool:
    names = [landmark_set.images[index] for index in landmark_set.used]
    skeleton = kept.predictions.skeleton  # None in a file of an earlier version, which holds dropped keypoints too
    if skeleton is None or (skeleton.numbers, kept.predictions.images, kept.contents) != (numbers, names, contents):
        return False
    return _same_code(kept.environment)


def _same_code(before: dict[str, Any]) -> bool:
    commit = code_commit()
    if commit.endswith("+") or commit != before.get("commit"):  # uncommitted changes have no hash to compare
        return False
    if commit != UNKNOWN:
        return True
    then, now = (made.get("packages", {}) for made in (before, environment()))
    return "kpdetect" in now and all(then.get(name) == now.get(name) for name in COMPUTING)


def _predict(weights: Path, landmark_set: LandmarkSet) -> Predictions:
    from kpdetect.inference.predictor import Predictor

    used = landmark_set.used
    predictor = Predictor.load(weights, engine="plain")
    keypoints_px, confidence = predict_images(predictor, landmark_set, used)
    return Predictions(
        images=[landmark_set.images[index] for index in used],
        keypoints_px=landmark_set.to_file_px(keypoints_px, used).astype(np.float32),
        confidence=confidence,
        sizes=landmark_set.file_sizes[used],
        skeleton=predictor.skeleton,
    )


def predict_images(
    detector: Predictor, landmark_set: LandmarkSet, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Predict the keypoints of some images of a set, block by block. Keypoints that the labels drop are left out.

    Returns:
        `keypoints_px` [indices, kept, 2] in pixels of the images as the model sees them, and `confidence` [indices, kept].

    Raises:
        InputError: an image file is damaged.
    """
    blocks = []
    with Progress(len(indices), "predict") as progress:
        for start in range(0, len(indices), BLOCK):
            block = list(landmark_set.pictures(indices[start : start + BLOCK]))
            blocks.append(detector(block))
            progress.update(len(block))
    keypoints_px, confidence = (np.concatenate(part) for part in zip(*blocks, strict=True))
    numbers = list(detector.skeleton.numbers)
    return keypoints_px[:, numbers], confidence[:, numbers]
