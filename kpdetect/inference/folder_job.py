"""Predict one image, or all images of a folder."""

from __future__ import annotations

from pathlib import Path

from kpdetect.files.archives.opening import is_archive
from kpdetect.files.folders import new_folder
from kpdetect.images.image_files import list_images
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.predictions import RECORD
from kpdetect.inference.predictions_folder import PredictedFolder
from kpdetect.inference.predictor import Predictor
from kpdetect.messages import log
from kpdetect.training.processes import ALONE, Peers


def predict_folder(
    model: Path,
    source: Path,
    out: Path,
    *,
    device: str = "auto",
    overlays: int = 200,
    strict: bool = False,
    overwrite: bool = False,
    peers: Peers = ALONE,
) -> PredictedFolder:
    """Predict one image or all images of a folder or archive.

    Args:
        model: project folder, detector run folder or weights file.
        source: an image, a folder that is searched recursively, or an archive of images.
        out: folder for predictions.csv, predictions.json and overlays/.
        device: `auto`, `cpu` or `cuda`.
        overlays: number of images to draw keypoints on, chosen evenly; negative for all.
        strict: stop at an unreadable image instead of skipping it.
        overwrite: predict every image again, even if the same model has already predicted it.
        peers: processes that make this call together, see `predict_into`.

    Returns:
        The folder of the results. Its predictions are not read before they are used.

    Raises:
        InputError: there are no images, none is readable, or, with `strict`, one is unreadable.
        CheckpointError: there is no detector at `model`.
        OutputError: `out` cannot be written.
    """
    predictor = Predictor.load(model, device, engine="auto")
    if peers.world > 1:
        predictor.chooses = False  # all processes use the same engine
    is_image = source.is_file() and not is_archive(source)
    root, paths = (source.parent, [source]) if is_image else (source, list_images(source, out))
    config = PredictConfig(overlays=overlays, strict=strict, overwrite=overwrite)
    with new_folder(out):
        outcome = predict_into(predictor, paths, root, out, config, peers=peers)
    if outcome.skipped:
        first = next(iter(outcome.skipped.values()))
        log.warning(f"skipped {len(outcome.skipped)} unreadable images, listed in {out / RECORD}; the first one: {first}")
    return PredictedFolder(out, outcome.count)
