"""The inputs, settings and limits of one training of a detector on image-keypoint pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpdetect.detector.batches import Batches
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.learned import LearnedFrom, learn_from, open_pairs
from kpdetect.pairs import PairSource
from kpdetect.training.job import TrainingJob


@dataclass(frozen=True, kw_only=True)
class DetectorJob(TrainingJob):
    """A training of a detector on image-keypoint pairs.

    Attributes:
        out, runtime, minutes, least_steps, most_minutes, least_left: see `TrainingJob`.
        pairs: folder of shards, or source that draws pairs during the training.
        config: settings. To continue a run they must equal its settings, except for those in `kpdetect.training.loop.BUDGETS`.
        initial: detector whose weights a new run starts from. It is not read when a run is continued. None: random weights.
        sources: folder with `sources.csv`, the list of the real images that the pairs were made from. A folder of shards holds
            its own list.
    """

    pairs: Path | PairSource
    config: DetectorConfig
    initial: Path | None = None
    sources: Path = Path()

    def learn(self) -> tuple[Batches, LearnedFrom]:
        """Open the batches of the pairs, and describe the pairs.

        Raises:
            InputError, ShardError: the folder of shards cannot be used.
        """
        if isinstance(self.pairs, Path):
            return learn_from(open_pairs(self.pairs), self.pairs, self.config)
        return learn_from(self.pairs, self.sources, self.config)
