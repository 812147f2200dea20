"""Self-training: a detector is taught what the one before it finds in the real images, on average over views of them.

The average over scales and the mirror image is better than any one look, so that the pupil is better than its teacher, and can
teach the next one. What is averaged out is noise; keypoints stay where they are.

PROJECT/taught-N         run folder of the Nth pupil
PROJECT/taught-N/found   what its teacher found
PROJECT/taught-N/pairs   the same with the images, as shards
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from benchmarks.outdated import FOUND, discard_outdated_rounds
from generator.pseudo import write_pseudo_pairs
from kpdetect.checkpoints import TAUGHT, last_detector
from kpdetect.config import StrictConfig
from kpdetect.data.folder import select_images
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.train import train_detector
from kpdetect.files import make_folder
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.folder import predict_images
from kpdetect.inference.labels import LABELS, copy_labels
from kpdetect.inference.predictor import Predictor
from kpdetect.runtime import Runtime


class RoundsConfig(StrictConfig):
    """Self-training on the real images."""

    count: int = Field(1, ge=0, le=9)
    """Rounds; each teaches another detector."""
    steps: int = Field(1_500, ge=1)
    """Steps of each."""
    rate: float = Field(5e-4, gt=0)
    """Their learning rate; everything else is as in the training on pairs."""
    scale: float = Field(0.4, ge=0, lt=1)
    """How far images are scaled for them, see `AugmentConfig.scale`: the first detector's keypoints need not be found again in
    generated images."""
    scales: tuple[float, ...] = (1.1, 0.95, 0.8)
    """Sizes of the squares that a teacher looks at, see `PredictConfig.scales`."""
    flip_average: bool = True
    """Whether it looks at the mirror images too."""

    def pupil(self, first: DetectorConfig) -> DetectorConfig:
        """How a pupil is trained, in a project whose first detector was trained like this."""
        augment = first.augment.model_copy(update={"scale": self.scale})
        return first.model_copy(update={"augment": augment, "steps": self.steps, "rate": self.rate})

    def look(self, strict: bool) -> PredictConfig:
        """How a teacher looks."""
        return PredictConfig(overlays=0, scales=self.scales, flip_average=self.flip_average, strict=strict)


def teach_round(
    number: int,
    images: Path,
    out: Path,
    config: RoundsConfig,
    first: DetectorConfig,
    runtime: Runtime,
    *,
    minutes: float | None = None,
    exclude: Sequence[str] = (),
    strict: bool = False,
) -> None:
    """Train the pupil of a round, or continue; does nothing when it is finished.

    Args:
        number: which round, from 1.
        images: folder of images.
        out: project folder; its last detector before this round teaches.
        config: how.
        first: the project's training on pairs.
        runtime: device and precision.
        minutes: training time of the pupil, over all continuations.
        exclude: names of images never to train on.
        strict: stop at an unreadable image instead of skipping it.

    Raises:
        KpdetectError: see `predict_images`, `write_pseudo_pairs` and `train_detector`.
    """
    discard_outdated_rounds(out)
    folder, teacher = out / f"{TAUGHT}-{number}", last_detector(out, before=number)
    found = make_folder(folder / FOUND)
    predictor = Predictor.load(teacher, runtime.device.type, labelled=False)
    chosen = [images / name for name in select_images(images, set(exclude))]
    _, skipped = predict_images(predictor, chosen, images, found, config.look(strict))
    if skipped:
        print(f"warning: {len(skipped)} unreadable images are left out of round {number}", file=sys.stderr)
    pupil = config.pupil(first)
    write_pseudo_pairs(teacher, found, images, folder / "pairs", size=pupil.model.input_size, crop=predictor.crop)
    weights = train_detector(folder / "pairs", folder, pupil, runtime, minutes=minutes, initial=teacher)
    if (teacher.parent / LABELS).is_file() and not (folder / LABELS).exists():
        copy_labels(teacher, weights)
