"""Self-training: each round trains a detector, the pupil, on the predictions of the previous detector, its teacher.

The teacher predicts each real image at several scales and in mirror image, and the predictions are averaged. The average is
better than a single prediction, so the pupil becomes better than its teacher. The pupil is the teacher of the next round. The
average removes noise, but does not move keypoints to other parts of the object.

PROJECT/taught-N         run folder of the pupil of round N
PROJECT/taught-N/found   predictions of its teacher
PROJECT/taught-N/pairs   shards with the images and these predictions
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from kpdetect.data.folder import select_images
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.train import train_detector
from kpdetect.files.folders import make_folder
from kpdetect.inference.image_job import predict_images
from kpdetect.inference.labels import LABELS, Labels, labels_copied, labels_follow, labels_of
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.pseudo_labels import write_pseudo_pairs
from kpdetect.messages import log
from kpdetect.project.outdated import FOUND, discard_outdated_pupil, discard_outdated_rounds
from kpdetect.project.rounds_config import RoundsConfig
from kpdetect.training.checkpoints import WEIGHTS, last_detector, round_folder
from kpdetect.training.distributed import by_the_first, peers_of
from kpdetect.training.runtime import Runtime


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
    """Train the pupil of a round, or continue its training.

    If the round is finished, only check that its inputs have not changed.

    Args:
        number: number of the round, counted from 1.
        images: folder of images.
        out: project folder. The last detector trained before this round is the teacher.
        config: settings of self-training.
        first: settings of the project's training on pairs.
        runtime: device and precision.
        minutes: training time of the pupil, counting earlier runs of the command.
        exclude: names of images to leave out.
        strict: stop at an unreadable image instead of skipping it.

    Raises:
        KpdetectError: see `predict_images`, `write_pseudo_pairs` and `train_detector`.
    """
    by_the_first(runtime, lambda: discard_outdated_rounds(out))
    peers = peers_of(runtime)
    folder, teacher = out / round_folder(number), last_detector(out, before=number)
    predictions = make_folder(folder / FOUND)
    hints = Labels(pairs=labels_of(teacher).pairs)  # the pupil also learns the keypoints that a user has dropped from results
    predictor = Predictor.load(teacher, runtime.device.type, labels=hints, engine="auto" if peers.world == 1 else "torch")
    chosen = [images / name for name in select_images(images, set(exclude), out)]
    _, skipped = predict_images(predictor, chosen, images, predictions, config.look(strict), peers=peers)
    peers.wait()  # the other processes read the table that the first process wrote
    if skipped:
        log.warning(f"round {number} leaves out {len(skipped)} unreadable images")
    by_the_first(runtime, lambda: discard_outdated_pupil(out, number))
    pupil, pairs = config.pupil(first), folder / "pairs"
    write_pseudo_pairs(teacher, predictions, images, pairs, size=pupil.model.input_size, crop=predictor.crop, peers=peers)
    weights = folder / WEIGHTS
    copies = runtime.is_main and not (folder / LABELS).exists()
    with labels_follow(weights, runtime.is_main), labels_copied(teacher, weights) if copies else nullcontext():
        train_detector(pairs, folder, pupil, runtime, minutes=minutes, initial=teacher)
