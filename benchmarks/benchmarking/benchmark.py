"""A benchmark in one call: read the data, predict, check for contamination, evaluate, write result and table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.benchmarking.inputs import BenchmarkInputs
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.own_table import TableOptions
from benchmarks.evaluation.baselines import SEED, Features, pixel_features, random_features
from benchmarks.evaluation.contamination import mark_contaminated
from benchmarks.evaluation.evaluate import MeasuredRow, align, evaluate
from benchmarks.evaluation.label_counts import LabelCount, label_counts, label_counts_markdown
from benchmarks.evaluation.label_counts import write_csv as write_label_counts
from benchmarks.evaluation.measured_model import Source, Subject, find_subject, kept_of_learned
from benchmarks.evaluation.predict import predict
from benchmarks.evaluation.results import (
    Result,
    error_table,
    errors_path,
    read_result,
    resampled,
    result_name,
    write_errors,
    write_result,
)
from benchmarks.protocol.named import Protocol
from benchmarks.tables.render import markdown, results_table
from benchmarks.tables.table import Measurement, tables
from benchmarks.tables.table_files import write_tables_of
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.lock import writing_into
from kpdetect.files.names import as_path
from kpdetect.progress import Listener, listening
from kpdetect.training.checkpoints import read_model_description
from kpdetect.training.run_folder import environment

if TYPE_CHECKING:
    import pandas as pd

    from kpdetect.inference.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Extras:
    """The additional methods that a benchmark measures.

    Attributes:
        baselines: measure random features and pixels; the mean shape and the grid are always measured.
        supervised: numbers of labels of detectors trained on annotated fitting images.
        supervised_minutes: training time of each supervised detector, in minutes.
    """

    baselines: bool = True
    supervised: tuple[int, ...] = ()
    supervised_minutes: float = 30.0


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """The result of `benchmarks.benchmark`.

    Attributes:
        path: the result file; `table.md`, `table.csv`, `<name>-errors.csv` and `<name>-labels.csv` lie next to it.
        result: the content of the result file.
        labels: errors of the model if the regression is fitted on fewer images; empty for the baselines alone.
    """

    path: Path
    result: Result
    labels: tuple[LabelCount, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row per method and regression and per published number; columns as in `table.csv`."""
        return results_table([self.result])

    def to_markdown(self) -> str:
        """Render the tables that `kpdetect benchmark` prints."""
        text = markdown(tables([Measurement(self.result)]))
        return f"{text}\n{label_counts_markdown(self.labels)}\n" if self.labels else text


def benchmark(
    protocol: str,
    model: Path | str | None,
    data: Path | str,
    out: Path | str | None = None,
    *,
    predictions: Path | str | None = None,
    checkpoint: str | None = None,
    allow_contaminated: bool = False,
    normaliser: str = "box",
    fit_list: Path | str | None = None,
    test_list: Path | str | None = None,
    baselines: bool = True,
    supervised: Sequence[int] = (),
    supervised_minutes: float = 30.0,
    progress: Listener | None = None,
) -> BenchmarkResult:
    """Measure a detector, or stored predictions, or the baselines alone, against annotated landmarks.

    Args:
        protocol: name of a protocol (`benchmarks.protocols`), or `table:` and the path of an annotation file.
        model: project folder, detector run folder, weights file or name of a model that comes with the package; None for the
            baselines alone, or with `predictions`.
        data: folder of the data set in its official layout; for an annotation file, the folder of its images.
        out: folder for `predictions.h5`, the result, its per-image errors and the table; by default `results` in the model's
            folder.
        predictions: stored predictions to measure: `predictions.h5` of an earlier benchmark, or a folder of
            `kpdetect.predict`.
        checkpoint: the model to use from a `predictions.h5` with several models, as a hash or its beginning.
        allow_contaminated: whether to measure a model that was trained on test images; its rows have a note.
        normaliser: unit of the errors for an annotation file: `box`, `image`, `pixel`, or two landmarks as `left,right`; see
            `benchmarks.protocol.definition`.
        fit_list, test_list: for an annotation file, files with the names of the images to fit and to test on; both or none.
        baselines: measure random features and pixels; the mean shape and the grid are always measured.
        supervised: numbers of labels of detectors that are trained on annotated fitting images.
        supervised_minutes: training time of each supervised detector, in minutes.
        progress: function that is called with the progress of the work.

    Raises:
        InputError: the protocol is unknown, data or the model are missing, the predictions belong to another model or to
            other images, or the model was trained on test images and `allow_contaminated` is False.
        FormatError: the annotations, the predictions or the record of training images are damaged.
        OutputError: `out` cannot be written.
    """
    inputs = BenchmarkInputs(
        protocol=protocol,
        data=Path(data),
        out=as_path(out),
        source=Source(model=as_path(model), predictions=as_path(predictions), checkpoint=checkpoint),
        annotated=TableOptions(unit=normaliser, fit=as_path(fit_list), test=as_path(test_list)),
    )
    extras = Extras(baselines=baselines, supervised=tuple(supervised), supervised_minutes=supervised_minutes)
    folder = inputs.folder
    with listening(progress):
        definition, landmark_set = inputs.read()
        with writing_into(folder):
            return _benchmark(inputs.source, landmark_set, definition, folder, allow_contaminated, extras)


def _benchmark(
    source: Source, landmark_set: LandmarkSet, protocol: Protocol, out: Path, allow_contaminated: bool, extras: Extras
) -> BenchmarkResult:
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
    path, counts = _write(subject, measured, landmark_set, protocol, out), []
    if subject.predictions is not None:
        counts = label_counts(align(subject.predictions, landmark_set), landmark_set, protocol, subject.method)
        write_label_counts(counts, path.with_name(f"{path.stem}-labels.csv"))
    write_tables_of(out)
    return BenchmarkResult(path=path, result=read_result(path), labels=tuple(counts))


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
        notes=(*landmark_set.notes, *resampled(landmark_set), *kept_of_learned(subject)),
        contamination=str(subject.contamination),
        contaminated=subject.contamination.status == "contaminated",
        model=model,
        environment=environment(),  # type: ignore[arg-type]
        seed=SEED,
        errors=file_hash(errors),
        rows=mark_contaminated((row for row, _ in measured), subject.contamination),
    )
    return write_result(result, out)


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
