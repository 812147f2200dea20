"""Measure the confidence of a trained detector again, and the layout of its keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpdetect.config import build_config
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.batches import PairBatches
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.held_out import calibrate, find_keypoints, keypoint_layout, share_found
from kpdetect.detector.learned import open_pairs, pairs_key
from kpdetect.errors import InputError
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.second_pass import LAYOUT
from kpdetect.training.model_description import DetectorDescription
from kpdetect.training.run_folder import code_commit

LEAST_PAIRS = 50
"""Smallest number of held-out pairs. With fewer pairs the probability is too uncertain."""
LEAST_FOUND = 0.1
"""Smallest share of the pairs' keypoints that the detector must find. If it finds fewer, the pairs show other keypoints."""
DOUBTFUL = 0.5
"""Share of found keypoints below which the pairs may show other keypoints, so that a warning is given."""


def measure_confidence(predictor: Predictor, pairs: Path, out: Path) -> dict[str, Any]:
    """Calibrate the confidence of a detector. If the layout of its keypoints was not measured on real images, measure it too.

    Args:
        predictor: the detector.
        pairs: folder of shards of pairs from the generator that the detector was trained with. Only the held-out share of the
            pairs is used. If the detector was trained on this folder, it has not seen the held-out share.
        out: folder for `reliability.png`.

    Returns:
        The new entries of the description inside the detector's weights file.

    Raises:
        InputError: there are too few pairs, or the pairs have another K, another crop policy or other keypoints.
        ShardError: the pairs are damaged.
        OutputError: `out` cannot be written.
    """
    description, folder = predictor.description, open_pairs(pairs, predictor.keypoints)
    if (crop := folder.facts.provenance.get("crop", predictor.crop)) != predictor.crop:
        raise InputError(
            f"{pairs}: got pairs with the crop policy {crop}, expected {predictor.crop} as in the detector's training; "
            "give such pairs"
        )
    batches = _held_out(description, folder)
    if (count := len(batches.held_out_indices)) < LEAST_PAIRS:
        raise InputError(
            f"{pairs}: {count} of {len(folder)} pairs are held out, expected at least {LEAST_PAIRS}; "
            f"give {LEAST_PAIRS * batches.every:,} pairs or more"
        )
    plain = batches.held_out()
    keypoints, _ = find_keypoints(predictor.detector, plain.images, predictor.runtime)
    if (share := share_found(keypoints, plain)) < LEAST_FOUND:
        raise InputError(
            f"{pairs}: the detector finds {100 * share:.0f} % of the keypoints of these pairs; "
            "give pairs of the generator that the detector was trained on"
        )
    calibration = calibrate(predictor.detector, batches, predictor.runtime, out)
    measured: dict[str, Any] = {"calibration": calibration.description()}
    real = description.refined is not None or "pseudo_labels_of" in (description.provenance or {})
    if not real or description.keypoint_layout is None:
        measured[LAYOUT] = keypoint_layout(keypoints)
    return measured | {"calibrated_on": {"pairs": pairs_key(folder), "found": round(share, 4), "commit": code_commit()}}


def _held_out(description: DetectorDescription, folder: ShardFolder) -> PairBatches:
    """Open the held-out pairs, augmented as in the detector's training. For a refined detector, this is its refinement."""
    config = build_config(DetectorConfig, description.config, source="the detector's weights")
    augment, seed, held_out = config.augment, config.seed, config.held_out
    if refined := description.refined:
        augment = AugmentConfig(photometric=refined["photometric"], occlusion=refined["occlusion"])
        seed, held_out = refined["seed"], description.held_out or held_out
    return PairBatches(folder, config.batch, held_out, augment, seed, memory=0)
