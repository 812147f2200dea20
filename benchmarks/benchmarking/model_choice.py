"""Cross-validation inside the fitting images in one call, for choosing between models without the test images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmarking.inputs import BenchmarkInputs
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.own_table import TableOptions
from benchmarks.evaluation.contamination import Contamination, check_contamination
from benchmarks.evaluation.cross_validation import CrossValidated, cross_validate, cross_validation_markdown, write_csv
from benchmarks.evaluation.evaluate import align
from benchmarks.evaluation.measured_model import Source, Subject, find_subject
from benchmarks.evaluation.predict import predict_images
from benchmarks.evaluation.results import result_name
from benchmarks.protocol.named import Protocol
from kpdetect.errors import InputError
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.lock import writing_into
from kpdetect.files.names import as_path
from kpdetect.inference.predictor import Predictor
from kpdetect.progress import Listener, listening
from kpdetect.training.checkpoints import find_weights, read_description

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class CrossValidationResult:
    """The result of `benchmarks.cross_validate`.

    Attributes:
        path: path of the table, a CSV file.
        rows: the rows of the table.
        images: the annotated images.
        contamination: whether the model was trained on the images.
    """

    path: Path
    rows: tuple[CrossValidated, ...]
    images: LandmarkSet
    contamination: Contamination

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row per method and regression."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def to_markdown(self) -> str:
        """Render the table that `kpdetect benchmark --cross-validate` prints."""
        return f"{cross_validation_markdown(self.rows, self.images)}\n\nimages: {self.contamination}\n"


def cross_validate_model(
    protocol: str,
    model: Path | str | None,
    data: Path | str,
    out: Path | str | None = None,
    *,
    predictions: Path | str | None = None,
    checkpoint: str | None = None,
    normaliser: str = "box",
    fit_list: Path | str | None = None,
    test_list: Path | str | None = None,
    progress: Listener | None = None,
) -> CrossValidationResult:
    """Measure a detector, or stored predictions, by cross-validation inside the fitting images, for choosing between models.

    Test images are not predicted, and stored predictions may lack them.

    Args:
        protocol, model, data, predictions, checkpoint, normaliser, fit_list, test_list, progress: see `benchmark`.
        out: folder for the table; by default `results` in the model's folder, or the folder of the predictions.

    Raises:
        InputError: there is no model, the protocol is unknown, data are missing, the predictions belong to other images, or
            there are too few fitting images.
        FormatError: the annotations are damaged.
        OutputError: `out` cannot be written.
    """
    source = Source(model=as_path(model), predictions=as_path(predictions), checkpoint=checkpoint)
    if source.model is None and source.predictions is None:
        raise InputError("cross-validation: there is no model; give one with `model`, or its predictions with `predictions`")
    annotated = TableOptions(unit=normaliser, fit=as_path(fit_list), test=as_path(test_list))
    inputs = BenchmarkInputs(protocol=protocol, data=Path(data), out=as_path(out), source=source, annotated=annotated)
    with listening(progress):
        definition, landmark_set = inputs.read()
        folder = inputs.folder
        with writing_into(folder):
            return _cross_validation(source, landmark_set, definition, folder)


def _cross_validation(source: Source, landmark_set: LandmarkSet, protocol: Protocol, out: Path) -> CrossValidationResult:
    keypoints_px, subject = _fitting_keypoints(source, landmark_set, out)
    rows, model = cross_validate(keypoints_px, landmark_set, protocol, subject.method), subject.model
    path = make_folder(out) / f"{result_name(protocol.name, landmark_set.name, model)}-cross-validation.csv"  # type: ignore[arg-type]
    write_csv(rows, path, landmark_set, model["hash"], subject.contamination)
    return CrossValidationResult(path=path, rows=tuple(rows), images=landmark_set, contamination=subject.contamination)


def _fitting_keypoints(source: Source, landmark_set: LandmarkSet, out: Path) -> tuple[NDArray[np.floating], Subject]:
    """Return keypoints [fitting images, K, 2] in pixels of the images as the model sees them, and the measured subject."""
    if source.predictions is not None:
        subject = find_subject(source, landmark_set, out, allow_contaminated=True)
        assert subject.predictions is not None
        keypoints_px = align(subject.predictions, landmark_set, landmark_set.fit)[landmark_set.fit]
        return keypoints_px, subject
    weights = find_weights(source.model or Path(), "detector")
    found_px, _ = predict_images(Predictor.load(weights, engine="plain"), landmark_set, landmark_set.fit)
    model = {"hash": file_hash(weights), "description": read_description(weights)}
    return found_px, Subject(contamination=check_contamination(weights.parent, landmark_set), model=model)
