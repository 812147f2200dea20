"""Self-training: a detector is taught what the one before it finds in the real images, on average over views of them.

The average over scales and the mirror image is better than any one look, so that the pupil is better than its teacher, and can
teach the next one. What is averaged out is noise; keypoints stay where they are.

PROJECT/taught-N         run folder of the Nth pupil
PROJECT/taught-N/found   what its teacher found
PROJECT/taught-N/pairs   the same with the images, as shards
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
    """Self-training on the real images."""

    count: int = Field(1, ge=0, le=9)
    """Rounds; each teaches another detector, for which all is as in the training on pairs but the next three."""
    steps: int = Field(1_500, ge=1, le=10**12)
    """Steps of each."""
    rate: float = Field(5e-4, gt=0)
    """Their learning rate."""
    scale: float = Field(0.4, ge=0, lt=1)
    """How far images are scaled for them, see `AugmentConfig.scale`."""
    scales: tuple[float, ...] = (1.1, 0.95, 0.8)
    """Sizes of the squares that a teacher looks at, see `PredictConfig.scales`."""
    flip_average: bool = True
    """Whether it looks at the mirror images too."""

    _sizes = field_validator("scales")(require_scales)

    def pupil(self, first: DetectorConfig) -> DetectorConfig:
        """How a pupil is trained, in a project whose first detector was trained like this."""
        augment = first.augment.model_copy(update={"scale": self.scale})
        return first.model_copy(update={"augment": augment, "steps": self.steps, "rate": self.rate})

    def look(self, strict: bool) -> PredictConfig:
        """How a teacher looks."""
        return PredictConfig(overlays=0, scales=self.scales, flip_average=self.flip_average, strict=strict)


NO_ROUNDS = "`method=imm` has no rounds of self-training"
"""The reason why a number of rounds is refused."""
BUDGET = ("count", "steps")
"""Keys of `RoundsConfig` that may change when a project is continued."""


def free_keys(out: Path) -> Iterable[str]:
    """Keys of `RoundsConfig` that may differ from those that a project was begun with: all before its first round."""
    return BUDGET if _rounds(out) else RoundsConfig.model_fields


def require_rounds(out: Path, count: int, method: str = "gan") -> None:
    """Refuse fewer rounds than a project has: its last detector would be one that nobody asked for; and rounds of `imm`.

    Raises:
        ConfigError: saying what to do.
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
    """Train the pupil of a round, or continue; of a finished round files are compared, and nothing is done.

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
    by_the_first(runtime, lambda: discard_outdated_rounds(out))
    peers = peers_of(runtime)
    folder, teacher = out / round_folder(number), last_detector(out, before=number)
    found = make_folder(folder / FOUND)
    hints = Labels(pairs=labels_of(teacher).pairs)  # what is dropped from results is learned nevertheless
    predictor = Predictor.load(teacher, runtime.device.type, labels=hints, engine="auto" if peers.world == 1 else "torch")
    chosen = [images / name for name in select_images(images, set(exclude), out)]
    _, skipped = predict_images(predictor, chosen, images, found, config.look(strict), peers=peers)
    peers.wait()  # the first process has written the table
    if skipped:
        log.warning(f"round {number} leaves out {len(skipped)} unreadable images")
    by_the_first(runtime, lambda: discard_outdated_pupil(out, number))
    pupil, pairs = config.pupil(first), folder / "pairs"
    write_pseudo_pairs(teacher, found, images, pairs, size=pupil.model.input_size, crop=predictor.crop, peers=peers)
    weights = folder / WEIGHTS
    own = (folder / LABELS).exists()
    copies = runtime.is_main and not own
    with labels_follow(weights, runtime.is_main), labels_copied(teacher, weights) if copies else nullcontext():
        train_detector(pairs, folder, pupil, runtime, minutes=minutes, initial=teacher)
