"""Show predictions with the present names, mirror pairs and links of their model's keypoints.

Users often name keypoints after the predictions were made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kpdetect.errors import CheckpointError, ConfigError
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labels import LABELS, Labels, read_labels
from kpdetect.inference.predictions import Predictions
from kpdetect.training.checkpoints import find_weights, read_description


class CurrentLabels:
    """The labels of one model.

    Args:
        model: project folder, run folder or weights file; None if there is no model.
    """

    def __init__(self, model: Path | None) -> None:
        self.model = model
        self.read: tuple[tuple[int, int], str, Labels | None] | None = None

    @property
    def version(self) -> tuple[int, int]:
        """Return when weights and labels were last written, in nanoseconds. The time of a missing file is 0."""
        weights = self._weights()
        return (0, 0) if weights is None else (_written(weights), _written(weights.parent / LABELS))

    def on(self, predictions: Predictions, model: str) -> Predictions:
        """Return predictions with this model's present labels, if the model has the weights with the hash `model`.

        Predictions of other weights are returned unchanged. Keypoints that a user has since dropped are left out.
        """
        labels = self._labels(model)
        if labels is None:
            return predictions
        known = predictions.points.numbers
        missing = set(range(max(known) + 1)) - set(known)
        skeleton = labels.model_copy(update={"drop": tuple({*labels.drop, *missing})}).skeleton(max(known) + 1)
        kept = [known.index(number) for number in skeleton.numbers]
        if not kept:
            return predictions
        return replace(
            predictions,
            keypoints_px=predictions.keypoints_px[:, kept],
            confidence=predictions.confidence[:, kept],
            skeleton=skeleton,
        )

    def _weights(self) -> Path | None:
        try:
            return None if self.model is None else find_weights(self.model, "detector")
        except CheckpointError:
            return None

    def _labels(self, model: str) -> Labels | None:
        """Return the model's labels if they belong to the weights with this hash; otherwise None."""
        version, weights = self.version, self._weights()
        if weights is None:
            return None
        if self.read is None or self.read[0] != version:
            self.read = (version, file_hash(weights), _labels_of(weights) if version[1] else None)
        _, digest, labels = self.read
        return labels if digest == model and (labels is None or labels.are_of(digest)) else None


def _labels_of(weights: Path) -> Labels | None:
    try:
        return read_labels(weights, int(read_description(weights)["keypoints"]))
    except (CheckpointError, ConfigError):
        return None  # the Name page shows the error


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
