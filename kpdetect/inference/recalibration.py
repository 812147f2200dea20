"""Measuring anew what a trained detector says of itself: how sure it may be, and how its keypoints lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpdetect.config import build_config
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.reader import ShardFolder
from kpdetect.detector.batches import PairBatches, open_pairs, pairs_key
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.held_out import calibrate, find_keypoints, keypoint_layout, share_found
from kpdetect.errors import InputError
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.second_pass import LAYOUT
from kpdetect.training.run_folder import code_commit

LEAST_PAIRS = 50
"""Held-out pairs below which a probability means little."""
LEAST_FOUND = 0.1
"""Share of keypoints found below which pairs are taken for those of other keypoints."""
DOUBTFUL = 0.5
"""Share below which they may be."""


def measure_confidence(predictor: Predictor, pairs: Path, out: Path) -> dict[str, Any]:
    """What a detector's weights should say of its confidence, and of how its keypoints lie unless real images told that.

    Args:
        predictor: the detector.
        pairs: folder of shards, of the kind that it was trained on; of these its held-out share is used, which
            training has not seen if they are the very ones.
        out: folder for `reliability.png`.

    Raises:
        InputError: the pairs are too few, have another K, another crop, or are those of other keypoints.
        ShardError: damaged pairs.
        OutputError: `out` cannot be written.
    """
    description, folder = predictor.description, open_pairs(pairs, predictor.keypoints)
    if (crop := folder.facts.provenance.get("crop", predictor.crop)) != predictor.crop:
        raise InputError(f"{pairs}: images shown by --crop {crop}; the detector sees them by {predictor.crop}, give such pairs")
    batches = _held_out(description, folder)
    if (count := len(batches.held_out_indices)) < LEAST_PAIRS:
        raise InputError(
            f"{pairs}: {count} of {len(folder)} pairs are held out; expected at least {LEAST_PAIRS}, "
            f"so give {LEAST_PAIRS * batches.every:,} pairs or more"
        )
    plain = batches.held_out()
    found, _ = find_keypoints(predictor.detector, plain.images, predictor.runtime)
    if (share := share_found(found, plain)) < LEAST_FOUND:
        raise InputError(
            f"{pairs}: the detector finds {100 * share:.0f} % of the keypoints of these pairs; give pairs of its own keypoints"
        )
    calibration = calibrate(predictor.detector, batches, predictor.runtime, out)
    measured: dict[str, Any] = {"calibration": calibration.description()}
    real = "refined" in description or "pseudo_labels_of" in description.get("provenance", {})
    if not real or LAYOUT not in description:
        measured[LAYOUT] = keypoint_layout(found)
    return measured | {"calibrated_on": {"pairs": pairs_key(folder), "found": round(share, 4), "commit": code_commit()}}


def _held_out(description: dict[str, Any], folder: ShardFolder) -> PairBatches:
    """Varied as in training, for its second stage as in that."""
    config = build_config(DetectorConfig, description["config"], source="the detector's weights")
    augment, seed, held_out = config.augment, config.seed, config.held_out
    if refined := description.get("refined"):
        augment = AugmentConfig(photometric=refined["photometric"], occlusion=refined["occlusion"])
        seed, held_out = refined["seed"], description.get("held_out") or held_out
    return PairBatches(folder, config.batch, held_out, augment, seed, memory=0)
