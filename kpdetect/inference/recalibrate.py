"""Measuring anew what a trained detector says of itself: how sure it may be, and how its keypoints lie."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from kpdetect.checkpoints import find_weights, load_weights, save_weights
from kpdetect.config import build_config, write_config
from kpdetect.detector.batches import PairBatches
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.held_out import calibrate, find_keypoints, keypoint_layout
from kpdetect.detector.shards import open_pairs
from kpdetect.files import file_hash
from kpdetect.inference.label import require_own
from kpdetect.inference.labels import LABELS, read_labels
from kpdetect.inference.predictor import Predictor
from kpdetect.runtime import DeviceName, resolve_runtime


def recalibrate(model: Path, pairs: Path, device: str = "auto") -> tuple[Path, int]:
    """Measure confidence and the layout of keypoints on held-out pairs and write both into the detector's weights file.

    The network stays as it is; `reliability.png` beside it is drawn anew, and labels beside it stay its own.

    Args:
        model: project folder, detector run folder or weights file.
        pairs: folder of shards, of the kind that the detector was trained on; of these its held-out share is used.
        device: where to compute.

    Returns:
        The weights file, and how many pairs were held out.

    Raises:
        CheckpointError: no detector there, or damaged.
        InputError: a detector that comes with the package, an unknown device, or pairs that do not fit the detector.
        ShardError: damaged pairs.
        OutputError: a file cannot be written.
    """
    weights = find_weights(model, "detector")
    require_own(weights)
    predictor = Predictor.load(weights, device)
    config = build_config(DetectorConfig, predictor.description["config"], source=str(weights))
    runtime = resolve_runtime(cast(DeviceName, device))
    folder = open_pairs(pairs, predictor.keypoints)
    batches = PairBatches(folder, config.batch, config.held_out, config.augment, config.seed)
    found, _ = find_keypoints(predictor.detector, batches.held_out().images, runtime)
    calibration = calibrate(predictor.detector, batches, runtime, weights.parent)

    tensors, description = load_weights(weights, "detector")
    measured = {"keypoint_layout": keypoint_layout(found), "calibration": calibration.description()}
    save_weights(weights, "detector", tensors, {**description, **measured})
    labels = read_labels(weights, predictor.keypoints)
    if labels.weights == predictor.hash:
        write_config(labels.model_copy(update={"weights": file_hash(weights)}), weights.parent / LABELS)
    return weights, len(batches.held_out_indices)
