"""Self-training: each round trains a detector, the pupil, on the predictions of the previous detector, its teacher.

The teacher predicts each real image at several scales and in mirror image, and the predictions are averaged. The average is
better than a single prediction, so the pupil becomes better than its teacher. The pupil is the teacher of the next round. The
average removes noise, but does not move keypoints to other parts of the object.

PROJECT/taught-N         run folder of the pupil of round N
PROJECT/taught-N/found   predictions of its teacher
PROJECT/taught-N/pairs   shards with the images and these predictions
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from kpdetect.config import build_config
from kpdetect.detector.train import run_detector_job
from kpdetect.files.folders import make_folder
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.labels import LABELS, Labels, labels_copied, labels_follow, labels_of
from kpdetect.inference.prediction_record import RECORD, read_prediction_head, read_sizes
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.pseudo_labels import write_pseudo_pairs
from kpdetect.messages import log
from kpdetect.project.job import ProjectJob
from kpdetect.project.outdated import FOUND, discard_outdated_pupil, discard_outdated_rounds, last_detector
from kpdetect.training.checkpoints import CHECKPOINT, WEIGHTS
from kpdetect.training.distributed import by_the_first, peers_of

BLOCK = 10_000
"""Number of entries of a record that are in memory at once."""


def teach_round(project: ProjectJob, number: int) -> None:
    """Train the pupil of a round, or continue its training. The last detector trained before the round is the teacher.

    If the round is finished, only check that its inputs have not changed.

    Args:
        project: the project of the round.
        number: number of the round, counted from 1.

    Raises:
        KpdetectError: see `predict_into`, `write_pseudo_pairs` and `run_detector_job`.
    """
    job, images, out, runtime = project.round_job(number), project.images, project.out, project.runtime
    by_the_first(runtime, lambda: discard_outdated_rounds(out))
    peers = peers_of(runtime)
    folder, teacher = job.out, last_detector(out, before=number)
    predictions = make_folder(folder / FOUND)
    hints = _hints(predictions, teacher)
    predictor = Predictor.load(teacher, runtime.device.type, labels=hints, engine="auto" if peers.world == 1 else "torch")
    rounds = project.settings.rounds
    look = PredictConfig(overlays=0, scales=rounds.scales, flip_average=rounds.flip_average, strict=images.strict)
    in_use = 0 if project.minutes is None else _images_in_use(folder)  # another number would discard the pupil
    wanted = images.spread(out, peers.agreed(in_use or project.images_of_round(number)))
    skipped = predict_into(predictor, wanted, images.folder, predictions, look, peers=peers).skipped
    peers.wait()  # the other processes read the table that the first process wrote
    if skipped:
        log.warning(f"round {number} leaves out {len(skipped)} unreadable images")
    by_the_first(runtime, lambda: discard_outdated_pupil(out, number))
    pairs, size = folder / "pairs", job.config.model.input_size
    write_pseudo_pairs(teacher, predictions, images.folder, pairs, size=size, crop=predictor.crop, peers=peers)
    weights = folder / WEIGHTS
    copies = runtime.is_main and not (folder / LABELS).exists()
    with labels_follow(weights, runtime.is_main), labels_copied(teacher, weights) if copies else nullcontext():
        run_detector_job(replace(job, pairs=pairs, initial=teacher))


def _images_in_use(folder: Path) -> int:
    """Count the images, unreadable ones too, on whose predictions a round has begun to train its pupil. 0 if it has not."""
    if not (folder / CHECKPOINT).exists() or not (folder / FOUND / RECORD).exists():
        return 0
    found = folder / FOUND
    return sum(map(len, read_sizes(found, BLOCK))) + len(read_prediction_head(found).skipped)


def _hints(predictions: Path, teacher: Path) -> Labels:
    """Return the left-right pairs with which a teacher predicts, without dropped keypoints, because its pupil learns them too.

    Finished predictions keep the pairs that they were made with. So labels that a user gives to the teacher later do not make
    the round outdated.

    Args:
        predictions: folder of the teacher's predictions. If they are finished, they are of this teacher.
        teacher: weights file of the teacher.
    """
    labels = labels_of(teacher)
    if (predictions / RECORD).exists():
        labels = build_config(Labels, read_prediction_head(predictions).content.get("labels", {}), str(predictions / RECORD))
    return Labels(pairs=labels.pairs)
