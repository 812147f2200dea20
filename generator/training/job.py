"""The inputs, settings and limits of one training of a generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from generator.config import GeneratorConfig
from generator.training.features import FeatureNetwork
from generator.training.stopping import DistanceTo
from kpdetect.data.training_images import TrainingImages
from kpdetect.training.job import TrainingJob


@dataclass(frozen=True, kw_only=True)
class GeneratorJob(TrainingJob):
    """A training of a generator on a folder of images.

    Attributes:
        out, runtime, minutes, least_steps, most_minutes, least_left: see `TrainingJob`.
        images: the images to train on.
        config: settings. To continue a run they must equal its settings, except for those in `generator.config.FREE`.
        initial: generator whose weights a new run starts from. The discriminators of its run folder are loaded too, if it has
            them. It is not read when a run is continued. None: random weights.
        distance_to: distance for early stopping. It is required if `config.stopping.patience` is not 0.
        feature_network: network of `config.optimiser.features`, on the device of `runtime`. It is required if that is set.
        share: share of the user's minutes that `minutes` is. The advice about too few minutes uses it.
    """

    images: TrainingImages
    config: GeneratorConfig
    initial: Path | None = None
    distance_to: DistanceTo | None = None
    feature_network: FeatureNetwork | None = None
    share: float = 1.0
