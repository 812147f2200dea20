"""Self-training: each round trains a detector, the pupil, on the predictions of the previous detector, its teacher.

The teacher's predictions on the real images are averaged over scales and the mirror image. The average is better than a single
prediction, so the pupil becomes better than its teacher and can be the teacher of the next round. The average removes noise;
the places of the keypoints stay.

PROJECT/taught-N         run folder of the pupil of round N
PROJECT/taught-N/found   predictions of its teacher
PROJECT/taught-N/pairs   the images and these predictions, as shards
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path

from pydantic import Field, field_validator

from kpdetect.config import StrictConfig
from kpdetect.data.folder import select_images
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.train import train_detector
from kpdetect.errors import ConfigError
from kpdetect.files.folders import make_folder
from kpdetect.inference.config import PredictConfig, require_scales
from kpdetect.inference.image_job import predict_images
from kpdetect.inference.labels import LABELS, Labels, labels_copied, labels_follow, labels_of
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.pseudo_labels import write_pseudo_pairs
from kpdetect.messages import log
from kpdetect.project.outdated import FOUND, discard_outdated_pupil, discard_outdated_rounds
from kpdetect.training.checkpoints import WEIGHTS, detector_stages, last_detector, round_folder, round_number
from kpdetect.training.distributed import by_the_first, peers_of
from kpdetect.training.runtime import Runtime


class RoundsConfig(StrictConfig):
    """Settings of self-training on the real images."""

    count: int = Field(1, ge=0, le=9)
    """Number of rounds. Each round trains a detector with the settings of the training on pairs, except the next three."""
    steps: int = Field(1_500, ge=1, le=10**12)
    """Number of training steps of a round."""
    rate: float = Field(5e-4, gt=0)
    """Learning rate of a round."""
    scale: float = Field(0.4, ge=0, lt=1)
    """Range of the scaling of images in a round, see `AugmentConfig.scale`."""
    scales: tuple[float, ...] = (1.1, 0.95, 0.8)
    """Relative sizes of the squares over which the teacher averages, see `PredictConfig.scales`."""
    flip_average: bool = True
    """Whether the teacher also averages over the mirror image."""

    _sizes = field_validator("scales")(require_scales)

    def pupil(self, first: DetectorConfig) -> DetectorConfig:
        """Make the training settings of a pupil from those of the project's first detector."""
        augment = first.augment.model_copy(update={"scale": self.scale})
        return first.model_copy(update={"augment": augment, "steps": self.steps, "rate": self.rate})

    def look(self, strict: bool) -> PredictConfig:
        """Make the prediction settings of a teacher."""
        return PredictConfig(overlays=0, scales=self.scales, flip_average=self.flip_average, strict=strict)


NO_ROUNDS = "`method=imm` has no rounds of self-training"
"""The reason why a number of rounds is refused."""
BUDGET = ("count", "steps")
"""Keys of `RoundsConfig` that may change when a project is continued."""


def free_keys(out: Path) -> Iterable[str]:
    """List the keys of `RoundsConfig` that may change when a project is continued. Before its first round these are all."""
    return BUDGET if _rounds(out) else RoundsConfig.model_fields


def require_rounds(out: Path, count: int, method: str = "gan") -> None:
    """Refuse rounds of `imm`, and fewer rounds than a project has, because it would keep a detector of another number.

    Raises:
        ConfigError: the number of rounds is refused. The message says what to do.
    """
    if method == "imm" and count:
        raise ConfigError(f"rounds.count={count}: {NO_ROUNDS}; give `overrides=rounds.count=0`")
    if (held := max(_rounds(out), default=0)) > count:
        got = f"{out}: this project has {held} round{'s' * (held > 1)} of self-training, but {count} are requested"
        folders = " and ".join(round_folder(number) for number in _rounds(out) if number > count)
        if method == "imm":
            raise ConfigError(f"{got}, because {NO_ROUNDS}; give another `out`, or remove {folders}")
        advice = f"give `rounds={held}` (with `config`: `overrides=rounds.count={held}`), or remove {folders}"
        raise ConfigError(f"{got}; {advice}")


def _rounds(out: Path) -> list[int]:
    return [number for stage in detector_stages(out) if (number := round_number(stage)) is not None]


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
    """Train the pupil of a round, or continue its training. A finished round is only compared with its inputs.

    Args:
        number: number of the round, from 1.
        images: folder of images.
        out: project folder. Its last detector before this round is the teacher.
        config: settings of self-training.
        first: settings of the project's training on pairs.
        runtime: device and precision.
        minutes: training time of the pupil, summed over all continuations.
        exclude: names of images to leave out.
        strict: stop at an unreadable image instead of skipping it.

    Raises:
        KpdetectError: see `predict_images`, `write_pseudo_pairs` and `train_detector`.
    """
    by_the_first(runtime, lambda: discard_outdated_rounds(out))
    peers = peers_of(runtime)
    folder, teacher = out / round_folder(number), last_detector(out, before=number)
    predictions = make_folder(folder / FOUND)
    hints = Labels(pairs=labels_of(teacher).pairs)  # the pupil also learns keypoints that are dropped from results
    predictor = Predictor.load(teacher, runtime.device.type, labels=hints, engine="auto" if peers.world == 1 else "torch")
    chosen = [images / name for name in select_images(images, set(exclude), out)]
    _, skipped = predict_images(predictor, chosen, images, predictions, config.look(strict), peers=peers)
    peers.wait()  # the first process has written the table
    if skipped:
        log.warning(f"round {number} leaves out {len(skipped)} unreadable images")
    by_the_first(runtime, lambda: discard_outdated_pupil(out, number))
    pupil, pairs = config.pupil(first), folder / "pairs"
    write_pseudo_pairs(teacher, predictions, images, pairs, size=pupil.model.input_size, crop=predictor.crop, peers=peers)
    weights = folder / WEIGHTS
    copies = runtime.is_main and not (folder / LABELS).exists()
    with labels_follow(weights, runtime.is_main), labels_copied(teacher, weights) if copies else nullcontext():
        train_detector(pairs, folder, pupil, runtime, minutes=minutes, initial=teacher)
