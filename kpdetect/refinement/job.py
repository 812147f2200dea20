"""The inputs, settings and limits of one training of a detector on real images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpdetect.data.training_images import TrainingImages
from kpdetect.refinement.config import RefineConfig
from kpdetect.training.job import TrainingJob


@dataclass(frozen=True, kw_only=True)
class RefineJob(TrainingJob):
    """A training of a detector on real images, by the method `refine` or `imm`.

    Attributes:
        out, runtime, minutes, least_steps, most_minutes, least_left: see `TrainingJob`.
        images: the images to train on.
        config: settings. With `refine`, `model`, `keypoints` and `crop` are those of the trained detector.
        model: trained detector to refine (project folder, run folder or weights file); None for `imm`.
        pairs: folder of shards that keep the keypoints at their places; None for no such pairs.
    """

    images: TrainingImages
    config: RefineConfig
    model: Path | None = None
    pairs: Path | None = None
