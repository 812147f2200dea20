"""A whole benchmark in one call: read the data, predict, check for contamination, evaluate, write result and table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.loaders import load_dataset
from benchmarks.datasets.own_table import TABLE, TableOptions, load_table
from benchmarks.evaluation.baselines import SEED, Features, pixel_features, random_features
from benchmarks.evaluation.contamination import check_contamination, mark_contaminated
from benchmarks.evaluation.cross_validation import cross_validate, cross_validation_markdown, write_csv
from benchmarks.evaluation.evaluate import MeasuredRow, align, evaluate
from benchmarks.evaluation.label_counts import label_counts, label_counts_markdown
from benchmarks.evaluation.label_counts import write_csv as write_label_counts
from benchmarks.evaluation.measured_model import Source, Subject, find_subject
from benchmarks.evaluation.predict import predict, predict_images
from benchmarks.evaluation.results import Result, error_table, errors_path, read_result, result_name, write_errors, write_result
from benchmarks.protocol.named import Protocol, find_protocol
from benchmarks.tables.render import markdown
from benchmarks.tables.table import Measurement, tables
from benchmarks.tables.table_files import write_tables_of
from kpdetect.errors import InputError
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.lock import writing_into
from kpdetect.shipped import is_shipped
from kpdetect.training.checkpoints import find_weights, is_detector_stage, read_description, read_model_description
from kpdetect.training.run_folder import environment

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Extras:
    """The additional methods that a benchmark measures.

    Attributes:
        baselines: measure random features and pixels; the mean shape and the grid are always measured.
        supervised: numbers of labels of detectors trained on annotated fitting images.
        supervised_minutes: training time of each of them.
    """

    baselines: bool = True
    supervised: tuple[int, ...] = ()
    supervised_minutes: float = 30.0


def read_benchmark(protocol_name: str, data: Path, annotated: TableOptions | None = None) -> tuple[Protocol, LandmarkSet]:
    """Read the protocol and its annotated images.

    Args:
        protocol_name: a key of `PROTOCOLS`, or `table:` and the path of a file of annotations.
        data: folder of the data set; for a table, of its images.
        annotated: split and unit of a table.

    Raises:
        InputError: unknown protocol, or missing data.
        FormatError: damaged annotations.
    """
    if protocol_name.startswith(TABLE):
        return load_table(Path(protocol_name.removeprefix(TABLE)), data, annotated or TableOptions())
    if annotated is not None and annotated != TableOptions():
        raise InputError(f"protocol '{protocol_name}': its split and unit are fixed; those options are for table:FILE")
    protocol = find_protocol(protocol_name)
    return protocol, load_dataset(protocol, data)


def run_benchmark(
    protocol_name: str,
    model: Path | None,
    data: Path,
    out: Path | None = None,
    *,
    predictions: Path | None = None,
    checkpoint: str | None = None,
    allow_contaminated: bool = False,
    annotated: TableOptions | None = None,
    extras: Extras = Extras(),
) -> Path:
    """Measure one model, or finished predictions, or the baselines alone, under one protocol.

    Args:
        protocol_name, data, annotated: see `read_benchmark`.
        model, predictions, checkpoint: see `Source`.
        out: folder for `predictions.h5`, the result, its per-image errors and the table; by default
            `results` in the model's folder.
        allow_contaminated: measure a model that was trained on test images; its rows are marked.
        extras: the additional methods.

    Returns:
        Path of the result file; `table.md`, `table.csv`, `<name>-errors.csv` and `<name>-labels.csv` lie next to it.

    Raises:
        InputError: unknown protocol, missing data or model, predictions of another model or of other images, or a contaminated
            model that is not allowed.
        FormatError: damaged annotations, predictions or record.
        OutputError: `out` cannot be written.
    """
    source = Source(model=model, predictions=predictions, checkpoint=checkpoint)
    if not protocol_name.startswith(TABLE):
        find_protocol(protocol_name)
    out = out or _results_folder(source)
    protocol, landmark_set = read_benchmark(protocol_name, data, annotated)
    with writing_into(out):
        return _benchmark(source, landmark_set, protocol, out, allow_contaminated, extras)


def _benchmark(
    source: Source, landmark_set: LandmarkSet, protocol: Protocol, out: Path, allow_contaminated: bool, extras: Extras
) -> Path:
    subject = find_subject(source, landmark_set, out, allow_contaminated=allow_contaminated)
    make_folder(out)
    measured = evaluate(
        subject.predictions,
        landmark_set,
        protocol,
        features=_features(landmark_set) if extras.baselines else (),
        supervised=list(_supervised(landmark_set, protocol, extras, out)),
        method=subject.method,
    )
    path = _write(subject, measured, landmark_set, protocol, out)
    text = markdown(tables([Measurement(read_result(path))]))
    if subject.predictions is not None:
        counts = label_counts(align(subject.predictions, landmark_set), landmark_set, protocol, subject.method)
        write_label_counts(counts, path.with_name(f"{path.stem}-labels.csv"))
        text += "\n" + label_counts_markdown(counts) + "\n"
    write_tables_of(out)
    print(f"{text}\nresult: {path}")
    return path


def _write(subject: Subject, measured: list[MeasuredRow], landmark_set: LandmarkSet, protocol: Protocol, out: Path) -> Path:
    """Write the table of errors and then the result."""
    model: Any = subject.model or None
    name = result_name(protocol.name, landmark_set.name, model)
    errors = write_errors(error_table(measured, landmark_set, protocol), errors_path(out / f"{name}.json"))
    result = Result(
        protocol=protocol.name,
        metric=protocol.metric,
        thresholds=tuple(f"{limit:g}" for limit in protocol.thresholds),
        protocol_source=protocol.source,
        data=landmark_set.name,
        data_folder=str(landmark_set.folder),
        lists=landmark_set.lists,
        fitted=len(landmark_set.fit),
        tested=len(landmark_set.test),
        notes=landmark_set.notes,
        contamination=str(subject.contamination),
        contaminated=subject.contamination.status == "contaminated",
        model=model,
        environment=environment(),  # type: ignore[arg-type]
        seed=SEED,
        errors=file_hash(errors),
        rows=mark_contaminated((row for row, _ in measured), subject.contamination),
    )
    return write_result(result, out)


def run_cross_validation(
    protocol_name: str, source: Source, data: Path, out: Path | None = None, *, annotated: TableOptions | None = None
) -> Path:
    """Measure a model, or finished predictions, by cross-validation inside the fitting images; test images are not predicted.

    Args:
        protocol_name, data, annotated: see `read_benchmark`.
        source: the model or predictions; a folder of predictions need not have the test images.
        out: folder for the table; `results` in the model's or the predictions' folder unless given.

    Returns:
        Path of the table, CSV.

    Raises:
        InputError: unknown protocol, missing data or model, predictions of other images, or too few fitting images.
        FormatError: damaged annotations.
        OutputError: `out` cannot be written.
    """
    protocol, landmark_set = read_benchmark(protocol_name, data, annotated)
    out = out or _results_folder(source)
    with writing_into(out):
        return _cross_validation(source, landmark_set, protocol, out)


def _cross_validation(source: Source, landmark_set: LandmarkSet, protocol: Protocol, out: Path) -> Path:
    keypoints_px, subject = _fitting_keypoints(source, landmark_set, out)
    rows, model = cross_validate(keypoints_px, landmark_set, protocol, subject.method), subject.model
    path = make_folder(out) / f"{result_name(protocol.name, landmark_set.name, model)}-cross-validation.csv"  # type: ignore[arg-type]
    write_csv(rows, path, landmark_set, model["hash"], subject.contamination)
    print(f"{cross_validation_markdown(rows, landmark_set)}\n\nimages: {subject.contamination}\ntable: {path}")
    return path


def _fitting_keypoints(source: Source, landmark_set: LandmarkSet, out: Path) -> tuple[NDArray[np.floating], Subject]:
    """Keypoints [fitting images, K, 2] in pixels of the images as shown, and the subject behind them."""
    import kpdetect

    if source.predictions is not None:
        subject = find_subject(source, landmark_set, out, allow_contaminated=True)
        assert subject.predictions is not None
        keypoints_px = align(subject.predictions, landmark_set, landmark_set.fit)[landmark_set.fit]
        return keypoints_px, subject
    weights = find_weights(source.model or Path(), "detector")
    found_px, _ = predict_images(kpdetect.load(weights, engine="plain"), landmark_set, landmark_set.fit)
    model = {"hash": file_hash(weights), "description": read_description(weights)}
    return found_px, Subject(contamination=check_contamination(weights.parent, landmark_set), model=model)


def _results_folder(source: Source) -> Path:
    if source.model is None and source.predictions is None:
        raise InputError("benchmark: nothing to measure; give `model`, or `out` to measure the baselines alone")
    path = source.predictions or find_weights(source.model or Path(), "detector")
    if is_shipped(path):
        raise InputError(f"{source.model}: this model comes with the package; give a folder for the results with `out`")
    return path.parent if path.suffix == ".h5" else _project(path) / "results"


def _project(path: Path) -> Path:
    folder = path.parent if path.is_file() else path
    return folder.parent if folder.name == "predictions" or is_detector_stage(folder) else folder


def _features(landmark_set: LandmarkSet) -> list[Features]:
    return [random_features(landmark_set), pixel_features(landmark_set)]


def _supervised(landmark_set: LandmarkSet, protocol: Protocol, extras: Extras, out: Path) -> Iterable[tuple[str, Predictions]]:
    from benchmarks.evaluation.supervised import train_supervised
    from kpdetect.training.runtime import resolve_runtime

    for labels in extras.supervised:
        folder = out / f"supervised-{landmark_set.name}-{labels}"
        weights = train_supervised(landmark_set, protocol, labels, extras.supervised_minutes, folder, resolve_runtime())
        minutes = read_model_description(weights).minutes or 0.0
        name = f"supervised detector, {labels:,} labels, trained {minutes:.3g} minutes"
        yield name, predict(weights, landmark_set, folder).predictions
