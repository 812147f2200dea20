"""Synthetic pairs that keep the keypoints where the first stage found them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from torch import Tensor, nn

from kpdetect.data.augment import AugmentConfig
from kpdetect.data.reader import ShardFolder
from kpdetect.detector.batches import PairBatches, TrainingPairs
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.held_out import calibrate
from kpdetect.detector.losses import coordinate_distance, heatmap_cross_entropy, keypoint_weights
from kpdetect.detector.model import read_heatmaps
from kpdetect.detector.train import weighted_mean
from kpdetect.refine.config import RefineConfig
from kpdetect.refine.losses import fixed_statistics
from kpdetect.runtime import Runtime


class Anchor:
    """The detector's own losses on pairs, recoloured and occluded as the views are.

    Args:
        pairs: the shards.
        config: of the run on real images.
        first: of the detector that is continued, which did not see its held-out pairs; None without one.
        runtime: device and precision.
    """

    def __init__(self, pairs: ShardFolder, config: RefineConfig, first: DetectorConfig | None, runtime: Runtime) -> None:
        varied = AugmentConfig(photometric=config.photometric, occlusion=config.occlusion)
        self.held_out = (first or DetectorConfig()).held_out
        self.batches, self.runtime = PairBatches(pairs, config.batch, self.held_out, varied, config.seed), runtime
        self.upcoming: Generator[TrainingPairs, None, None] | None = None

    def next(self, step: int) -> TrainingPairs:
        """The pairs of a step; one after the other, from the first that is asked for."""
        if self.upcoming is None:
            self.upcoming = self.batches.ahead(step, self.runtime.workers)
        return next(self.upcoming).to(self.runtime.device)

    def loss(self, detector: nn.Module, pairs: TrainingPairs) -> Tensor:
        """The losses (scalar), normalised by the pairs' statistics; the running ones stay those of real images."""
        with self.runtime.autocast(), fixed_statistics(detector):
            logits = detector(pairs.images)
        weights = keypoint_weights(pairs.keypoints, pairs.visible, 1.0)
        distance = weighted_mean(coordinate_distance(read_heatmaps(logits)[0], pairs.keypoints), weights)
        sigma = max(0.06, 1 / min(logits.shape[2:]))
        return 5 * distance + weighted_mean(heatmap_cross_entropy(logits, pairs.keypoints, sigma), weights)

    def calibration(self, detector: nn.Module, folder: Path) -> dict[str, object]:
        """Of the detector's confidence, measured on held-out pairs; `folder` gets the reliability plot."""
        return calibrate(detector, self.batches, self.runtime, folder).description()

    def close(self) -> None:
        """End the threads that prepare pairs."""
        if self.upcoming is not None:
            self.upcoming.close()
        self.upcoming = None
