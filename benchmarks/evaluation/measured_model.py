"""What a benchmark measures (its subject): a model, stored predictions, or the baselines alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.contamination import Contamination, check_contamination, judge_contamination, refuse_contamination
from benchmarks.evaluation.predict import describe_model, kept_numbers, predict
from benchmarks.evaluation.prediction_file import AGAIN, read_entry
from kpdetect.errors import InputError
from kpdetect.files.hashes import file_hash
from kpdetect.training.checkpoints import find_weights

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions

METHODS = {"imm": "IMM", "refine": "kpdetect, refined"}
"""The method name of a model's rows, by the name of its last training stage. IMM is the method of Jakab et al. (2018)."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source of predictions, as the user names it.

    Attributes:
        model: weights file, detector folder, project folder, or name of a model that comes with the package; None without a
            model.
        predictions: stored predictions to measure: `predictions.h5` of an earlier benchmark, or a folder of `kpdetect predict`.
            None without them. If `model` is set too, the predictions must come from that model.
        checkpoint: which model's predictions to take from `predictions.h5`: the hash of its weights, or the hash's beginning.
    """

    model: Path | None = None
    predictions: Path | None = None
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        """Check the combination of arguments.

        Raises:
            InputError: `checkpoint` is set without `predictions`, or together with `model`.
        """
        if self.checkpoint is not None and (self.predictions is None or self.model is not None):
            raise InputError("`checkpoint` selects a checkpoint in the file `predictions`; give `predictions` and no `model`")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The predictions to measure, and the model that made them.

    Attributes:
        predictions: keypoints, or None for the baselines alone.
        contamination: whether the model was trained on test images.
        model: the description of the model for the result; empty without a model.
    """

    predictions: Predictions | None = None
    contamination: Contamination = Contamination(status="unknown")
    model: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """Name of the model in the rows."""
        return method_name(self.model.get("description", {}))


def find_subject(source: Source, landmark_set: LandmarkSet, out: Path, *, allow_contaminated: bool = False) -> Subject:
    """Predict keypoints, or read stored predictions and check that they belong to these images and this model.

    Args:
        source: the model or stored predictions.
        landmark_set: annotated images.
        out: folder for `predictions.h5`.
        allow_contaminated: whether to measure a model that was trained on test images.

    Raises:
        InputError: the predictions belong to another checkpoint or to other images, or the model was trained on test images
            and `allow_contaminated` is False.
        CheckpointError: there is no detector at `model`.
        FormatError: the predictions or the record of training images are damaged.
        OutputError: `out` cannot be written.
    """
    weights = None if source.model is None else find_weights(source.model, "detector")
    if source.predictions is not None:
        read = _from_folder if source.predictions.is_dir() else _from_file
        subject = read(source.predictions, landmark_set, weights, source.checkpoint)
        refuse_contamination(subject.contamination, allow_contaminated)
        return subject
    if weights is None:
        return Subject()
    contamination = check_contamination(weights.parent, landmark_set)
    refuse_contamination(contamination, allow_contaminated)
    entry = predict(weights, landmark_set, out)
    return Subject(predictions=entry.predictions, contamination=contamination, model=entry.model)


def method_name(description: dict[str, Any]) -> str:
    """Return the method name for a detector's rows; it depends on the training method that the weights record."""
    provenance = description.get("provenance", {})
    if "discovery" in provenance:
        return f"kpdetect, {provenance['discovery']}"
    name = "kpdetect, self-trained" if "pseudo_labels_of" in provenance else "kpdetect"
    return METHODS.get(description.get("refined", {}).get("method", ""), name)


def kept_of_learned(subject: Subject) -> tuple[str, ...]:
    """Return a note if the labels drop keypoints that the model learned; dropped keypoints are not measured."""
    learned = subject.model.get("description", {}).get("keypoints")
    kept = 0 if subject.predictions is None else len(subject.predictions.points.numbers)
    return (f"{kept} of {learned} learned keypoints; the others are dropped",) if learned and 0 < kept < learned else ()


def _from_file(path: Path, landmark_set: LandmarkSet, weights: Path | None, checkpoint: str | None) -> Subject:
    entry = read_entry(path, landmark_set.name, file_hash(weights) if weights else checkpoint)
    entry.require(landmark_set, path)
    if weights is not None and entry.predictions.points.numbers != kept_numbers(weights):
        raise InputError(f"{path}: predictions of other keypoints than the labels of {weights} keep now; {AGAIN}")
    by_name = dict(zip(entry.predictions.images, entry.seen if entry.seen is not None else (), strict=False))
    used = [landmark_set.images[index] for index in landmark_set.used]
    seen = None if entry.seen is None else [bool(by_name[name]) for name in used]
    return Subject(predictions=entry.predictions, contamination=judge_contamination(seen, landmark_set), model=entry.model)


def _from_folder(folder: Path, landmark_set: LandmarkSet, weights: Path | None, checkpoint: str | None) -> Subject:
    from kpdetect.inference.prediction_record import read_prediction_head
    from kpdetect.inference.predictions import TABLE, Predictions

    if checkpoint is not None:
        raise InputError(f"`checkpoint`: {folder} holds predictions of one model; leave `checkpoint` out")
    predictions, record = Predictions.read(folder), read_prediction_head(folder)
    made_by = record.model
    if weights is not None and made_by != file_hash(weights):
        raise InputError(
            f"{folder}: these predictions come from checkpoint {made_by}, but {weights} is checkpoint {file_hash(weights)}; "
            "run `kpdetect predict` again, or leave `model` out"
        )
    model = {"hash": made_by, "table": file_hash(folder / TABLE), "settings": record.settings}
    model["description"] = record.description
    contamination = check_contamination(weights.parent if weights else None, landmark_set)
    described = {key: value for key, value in describe_model(weights).items() if key != "hash"} if weights else {}
    return Subject(predictions=predictions, contamination=contamination, model={**model, **described})
