"""Predictions under the names, pairs and links that their model has now: people name keypoints after they have predicted."""

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
        model: project, run folder or weights file; None for no model.
    """

    def __init__(self, model: Path | None) -> None:
        self.model = model
        self.read: tuple[tuple[int, int], str, Labels | None] | None = None

    @property
    def version(self) -> tuple[int, int]:
        """When weights and labels were written, in nanoseconds; (0, 0) where there are none."""
        weights = self._weights()
        return (0, 0) if weights is None else (_written(weights), _written(weights.parent / LABELS))

    def on(self, predictions: Predictions, model: str) -> Predictions:
        """Predictions of the weights with hash `model`, as this model would make them now; those of other weights as they are.

        Keypoints that were dropped since are left out.
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
        """The labels, if they belong to the weights with this hash."""
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
        return None  # the room Name says what is wrong with them


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
