"""The detector that is refined, and the image-keypoint pairs that keep its keypoints at their places."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from kpdetect.config import build_config
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.batches import Batches, LiveBatches, PairBatches, TrainingPairs
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.device_batches import DeviceBatches
from kpdetect.detector.held_out import calibrate
from kpdetect.detector.losses import coordinate_distance, heatmap_cross_entropy, keypoint_weights, weighted_mean
from kpdetect.detector.network import read_heatmaps
from kpdetect.errors import CheckpointError
from kpdetect.pairs import PairSource
from kpdetect.refinement.config import RefineConfig
from kpdetect.training.checkpoints import find_weights
from kpdetect.training.described_weights import load_described
from kpdetect.training.model_description import DetectorDescription
from kpdetect.training.runtime import Runtime


@contextmanager
def fixed_statistics(network: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch normalisation unchanged in the `with` block. It uses those of the batch."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


class FirstStage:
    """The weights of the detector that is refined, and the description in its weights file."""

    def __init__(self, weights: Path, tensors: dict[str, Tensor], description: DetectorDescription) -> None:
        self.weights, self.tensors, self.description = weights, tensors, description
        self.config = build_config(DetectorConfig, description.config, source=str(weights))

    @classmethod
    def load(cls, model: Path) -> FirstStage:
        """Read the detector to refine. From a project, read the one that was trained on pairs, even if a refined one exists.

        A weights file, a run folder or a model that comes with the package may hold a refined detector. It is refined again.

        Raises:
            CheckpointError: there is no detector at `model`, its weights are damaged, or it was trained by `imm`.
        """
        first = model / "detector"
        weights = find_weights(first if first.is_dir() else model, "detector")
        tensors, description = load_described(weights, DetectorDescription)
        if (description.refined or {}).get("method") == "imm":
            raise CheckpointError(
                f"{weights}: this detector was trained by IMM, on real images alone; give a detector that was trained on pairs"
            )
        return cls(weights, tensors, description)

    @property
    def refined_before(self) -> list[dict[str, Any]]:
        """Records of earlier refinements of this detector, the oldest first."""
        known = self.description
        if known.refined is None:
            return []
        run = {
            "refined": known.refined,
            "first_stage": known.first_stage,
            "training_images": known.training_images,
            "images_seen": known.images_seen,
            "minutes": known.minutes,
        }
        return [*(known.refined_before or ()), run]

    def apply(self, config: RefineConfig) -> RefineConfig:
        """Copy a configuration with this detector's network, number of keypoints and crop policy."""
        fixed = {"model": self.config.model, "keypoints": self.description.keypoints, "crop": self.description.crop}
        return config.model_copy(update=fixed)


class Anchor:
    """The detector's losses on pairs. The images of the pairs get the same changes of colour and occlusion as the real images.

    Args:
        pairs: folder of shards of pairs, or a source that draws pairs during the training.
        config: configuration of the training on real images.
        first: configuration of the detector that is refined. The pairs held out from its training are held out again. None if
            no detector is refined.
        runtime: device and precision.
    """

    def __init__(
        self, pairs: ShardFolder | PairSource, config: RefineConfig, first: DetectorConfig | None, runtime: Runtime
    ) -> None:
        augment = AugmentConfig(photometric=config.photometric, occlusion=config.occlusion)
        self.held_out, self.runtime = (first or DetectorConfig()).held_out, runtime
        self.batches: Batches
        if isinstance(pairs, ShardFolder):
            self.batches = PairBatches(pairs, config.batch, self.held_out, augment, config.seed)
        else:
            self.batches = LiveBatches(pairs, config.batch, augment, config.seed)
        self.batches.rank, self.batches.world = runtime.rank, runtime.world
        on_device = runtime.augments(config.augment_on)
        self.feed = DeviceBatches(self.batches, runtime.device) if on_device else self.batches
        self.upcoming: Generator[TrainingPairs, None, None] | None = None

    def next(self, step: int) -> TrainingPairs:
        """Return the pairs of a step. After the first call, steps must follow one after the other."""
        if self.upcoming is None:
            self.upcoming = self.feed.ahead(step, self.runtime.workers)
        return next(self.upcoming).to(self.runtime.device)

    def loss(self, detector: nn.Module, pairs: TrainingPairs) -> Tensor:
        """Compute the detector's loss (scalar) on pairs, with `fixed_statistics`."""
        with self.runtime.autocast(), fixed_statistics(detector):
            logits = detector(pairs.images)
        weights = keypoint_weights(pairs.keypoints, pairs.visible, 1.0)
        distance = weighted_mean(coordinate_distance(read_heatmaps(logits)[0], pairs.keypoints), weights)
        sigma = max(0.06, 1 / min(logits.shape[2:]))
        return 5 * distance + weighted_mean(heatmap_cross_entropy(logits, pairs.keypoints, sigma), weights)

    def calibration(self, detector: nn.Module, folder: Path) -> dict[str, object]:
        """Calibrate the detector's confidence on held-out pairs, and write the reliability plot to `folder`."""
        return calibrate(detector, self.batches, self.runtime, folder).description()

    def close(self) -> None:
        """End the threads that prepare pairs."""
        if self.upcoming is not None:
            self.upcoming.close()
        self.upcoming = None
