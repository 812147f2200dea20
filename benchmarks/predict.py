"""The first stage: a detector's keypoints on the images of a data set, kept in a predictions folder.

A model is shown what the protocol's crop leaves of a file; its keypoints are kept in pixels of the file, shifted back exactly.

A folder is used again only if weights, images and code are the same as when it was made: `stage.json`, written last,
says so.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from kpdetect.checkpoints import find_weights
from kpdetect.errors import FormatError
from kpdetect.files import file_hash, read_json, write_json
from kpdetect.progress import Progress
from kpdetect.runlog import code_commit, environment

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions
    from kpdetect.inference.predictor import Predictor

STAGE = "stage.json"
BLOCK = 32
"""Images read and predicted at once."""


def predict(model: Path, landmark_set: LandmarkSet, out: Path) -> Predictions:
    """Predict the images that a benchmark uses, or read the predictions an earlier call left in `out`.

    Args:
        model: weights file, detector folder or project folder.
        landmark_set: annotated images.
        out: folder that holds one predictions folder per model and data set.

    Raises:
        InputError: no weights, or a damaged image.
        OutputError: `out` cannot be written.
    """
    from kpdetect.inference.predictions import Predictions

    weights = find_weights(model, "detector")
    stage = _stage(weights, landmark_set)
    folder = out / f"{landmark_set.name}-{stage['model']}"
    if _is_current(folder, stage):
        return Predictions.read(folder)
    predictions = _predict(weights, landmark_set)
    (folder / STAGE).unlink(missing_ok=True)  # from here to the end of writing, the folder is not complete
    predictions.write(folder, {**stage, "environment": environment()})
    write_json(folder / STAGE, stage)
    return predictions


def _stage(weights: Path, landmark_set: LandmarkSet) -> dict[str, Any]:
    digest = hashlib.sha256()
    for index, content in zip(landmark_set.used, landmark_set.content_hashes(landmark_set.used), strict=True):
        digest.update(f"{landmark_set.images[index]} {content}\n".encode())
        if landmark_set.regions is not None:
            digest.update(f"{landmark_set.regions.boxes[index].tolist()}\n".encode())
    return {"model": file_hash(weights), "images": digest.hexdigest()[:16], "commit": code_commit()}


def _is_current(folder: Path, stage: dict[str, Any]) -> bool:
    if not (folder / STAGE).exists() or stage["commit"].endswith("+"):  # changed code has no name to compare
        return False
    try:
        return bool(read_json(folder / STAGE) == stage)
    except FormatError:
        return False


def _predict(weights: Path, landmark_set: LandmarkSet) -> Predictions:
    import kpdetect
    from kpdetect.inference.predictions import Predictions

    used = landmark_set.used
    keypoints_px, confidence = predict_images(kpdetect.load(weights), landmark_set, used)
    return Predictions(
        images=[landmark_set.images[index] for index in used],
        keypoints_px=landmark_set.to_file_px(keypoints_px, used).astype(np.float32),
        confidence=confidence,
        sizes=landmark_set.file_sizes[used],
    )


def predict_images(
    detector: Predictor, landmark_set: LandmarkSet, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`keypoints_px` [indices, K, 2] in pixels of those images as shown, and `confidence` [indices, K]; read in blocks.

    Raises:
        InputError: a damaged image.
    """
    found = []
    with Progress(len(indices), "predict") as progress:
        for start in range(0, len(indices), BLOCK):
            block = list(landmark_set.pictures(indices[start : start + BLOCK]))
            found.append(detector(block))
            progress.update(len(block))
    keypoints_px, confidence = (np.concatenate(part) for part in zip(*found, strict=True))
    return keypoints_px, confidence
