"""A whole benchmark in one call: read the data, predict, check for contamination, evaluate, write result and table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.baselines import SEED, Features, pixel_features, random_features
from benchmarks.contamination import Contamination, check_contamination, mark_contaminated, refuse_contamination
from benchmarks.cross_validation import cross_validate, markdown, write_csv
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.loaders import load_dataset
from benchmarks.datasets.table import TABLE, Annotated, load_table
from benchmarks.evaluate import align, evaluate, evaluate_regression
from benchmarks.label_counts import label_counts
from benchmarks.label_counts import markdown as label_counts_markdown
from benchmarks.label_counts import write_csv as write_label_counts
from benchmarks.predict import predict, predict_images
from benchmarks.protocols import Protocol, find_protocol
from benchmarks.results import Result, write_result
from benchmarks.table import markdown_table, write_table
from kpdetect.checkpoints import REFINED, find_weights, read_description
from kpdetect.errors import InputError
from kpdetect.files import file_hash, make_folder, read_json, replacing
from kpdetect.runlog import environment, read_metrics
from kpdetect.shipped import is_shipped

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What is measured beside the model.

    Attributes:
        baselines: random features and pixels; mean shape and grid always are.
        supervised: numbers of labels of detectors trained on annotated fitting images.
        supervised_minutes: training time of each of them.
    """

    baselines: bool = True
    supervised: tuple[int, ...] = ()
    supervised_minutes: float = 30.0


def read_benchmark(protocol_name: str, data: Path, annotated: Annotated | None = None) -> tuple[Protocol, LandmarkSet]:
    """The protocol and its annotated images.

    Args:
        protocol_name: a key of `PROTOCOLS`, or `table:` and the path of one's own annotations.
        data: folder of the data set; for a table, of its images.
        annotated: how a table is split and measured.

    Raises:
        InputError: unknown protocol, or missing data.
        FormatError: damaged annotations.
    """
    if protocol_name.startswith(TABLE):
        return load_table(Path(protocol_name.removeprefix(TABLE)), data, annotated or Annotated())
    if annotated is not None and annotated != Annotated():
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
    allow_contaminated: bool = False,
    annotated: Annotated | None = None,
    extras: Extras = Extras(),
) -> Path:
    """Measure one model, or finished predictions, or the baselines alone, under one protocol.

    Args:
        protocol_name, data, annotated: see `read_benchmark`.
        model: weights file, detector folder or project folder.
        out: folder for the result, its per-image errors, the table and the predictions; `results` in the model's
            folder unless given.
        predictions: predictions folder to measure instead of predicting with `model`.
        allow_contaminated: measure a model that saw test images; its rows are marked.
        extras: what is measured beside the model.

    Returns:
        Path of the result file; `table.md`, `table.csv`, `<name>-errors.csv` and `<name>-labels.csv` stand beside it.

    Raises:
        InputError: unknown protocol, missing data or model, or a contaminated model that is not allowed.
        FormatError: damaged annotations, predictions or record.
        OutputError: `out` cannot be written.
    """
    if model is not None and predictions is not None:
        raise InputError("benchmark: give either a model or a predictions folder")
    if model is None and predictions is None and out is None:
        raise InputError("benchmark: give --model, or --out to measure the baselines alone")
    if not protocol_name.startswith(TABLE):
        find_protocol(protocol_name)
    weights = None if model is None else find_weights(model, "detector")
    out = out or _project(weights or predictions) / "results"
    protocol, landmark_set = read_benchmark(protocol_name, data, annotated)
    contamination = check_contamination(weights.parent if weights else None, landmark_set)
    refuse_contamination(contamination, allow_contaminated)
    make_folder(out)
    found = _predictions(weights, predictions, landmark_set, out)
    rows = evaluate(
        found,
        landmark_set,
        protocol,
        features=_features(landmark_set) if extras.baselines else (),
        supervised=list(_supervised(landmark_set, protocol, extras, out)),
        method=method_name(weights),
    )
    result = Result(
        **_facts(protocol, landmark_set, contamination),
        model=_describe_model(weights, predictions),
        rows=mark_contaminated(rows, contamination),
    )
    path = write_result(result, out)
    text = markdown_table(result)
    if found is not None:
        _write_errors(found, landmark_set, protocol, path.with_name(f"{path.stem}-errors.csv"))
        counts = label_counts(align(found, landmark_set), landmark_set, protocol, method_name(weights))
        write_label_counts(counts, path.with_name(f"{path.stem}-labels.csv"))
        text += "\n" + label_counts_markdown(counts) + "\n"
    write_table(sorted(out.glob("*_*_*.json")), out)
    print(f"{text}\nresult: {path}")
    return path


def run_cross_validation(
    protocol_name: str, model: Path, data: Path, out: Path | None = None, *, annotated: Annotated | None = None
) -> Path:
    """Measure a model by cross-validation inside the fitting images; the test images are not read.

    Args:
        protocol_name, data, annotated: see `read_benchmark`.
        model: weights file, detector folder or project folder.
        out: folder for the table; `results` in the model's folder unless given.

    Returns:
        Path of the table, CSV.

    Raises:
        InputError: unknown protocol, missing data or model, or too few fitting images.
        FormatError: damaged annotations.
        OutputError: `out` cannot be written.
    """
    import kpdetect

    protocol, landmark_set = read_benchmark(protocol_name, data, annotated)
    weights = find_weights(model, "detector")
    out = make_folder(out or _project(weights) / "results")
    keypoints_px = predict_images(kpdetect.load(weights), landmark_set, landmark_set.fit)[0]
    rows = cross_validate(keypoints_px, landmark_set, protocol, method_name(weights))
    path = write_csv(rows, out / f"{protocol.name}_{landmark_set.name}_{file_hash(weights)[:8]}-cross-validation.csv")
    print(markdown(rows, landmark_set) + f"\n\ntable: {path}")
    return path


def method_name(weights: Path | None) -> str:
    """What rows call a detector: by how it was trained, where its weights say so."""
    trained = {} if weights is None else read_description(weights).get("refined", {})
    return {"imm": "IMM", "refine": "kpdetect, refined"}.get(trained.get("method", ""), "kpdetect")


def _predictions(weights: Path | None, folder: Path | None, landmark_set: LandmarkSet, out: Path) -> Predictions | None:
    from kpdetect.inference.predictions import Predictions

    if folder is not None:
        return Predictions.read(folder)
    return None if weights is None else predict(weights, landmark_set, out / "predictions")


def _project(source: Path | None) -> Path:
    assert source is not None
    if is_shipped(source):
        raise InputError(f"{source}: comes with the package; give a folder for the results with --out")
    folder = source.parent if source.is_file() else source
    return folder.parent if folder.name in ("detector", REFINED, "predictions") else folder


def _features(landmark_set: LandmarkSet) -> list[Features]:
    return [random_features(landmark_set), pixel_features(landmark_set)]


def _supervised(landmark_set: LandmarkSet, protocol: Protocol, extras: Extras, out: Path) -> Iterable[tuple[str, Predictions]]:
    from benchmarks.supervised import train_supervised
    from kpdetect.runtime import resolve_runtime

    for labels in extras.supervised:
        folder = out / f"supervised-{landmark_set.name}-{labels}"
        weights = train_supervised(landmark_set, protocol, labels, extras.supervised_minutes, folder, resolve_runtime())
        minutes = float(read_description(weights)["minutes"])
        name = f"supervised detector, {labels:,} labels, trained {minutes:.0f} minutes"
        yield name, predict(weights, landmark_set, out / "predictions")


def _facts(protocol: Protocol, landmark_set: LandmarkSet, contamination: Contamination) -> dict[str, Any]:
    return {
        "protocol": protocol.name,
        "metric": protocol.metric,
        "thresholds": tuple(f"{limit:g}" for limit in protocol.thresholds),
        "protocol_source": protocol.source,
        "data": landmark_set.name,
        "data_folder": str(landmark_set.folder),
        "lists": landmark_set.lists,
        "fitted": len(landmark_set.fit),
        "tested": len(landmark_set.test),
        "notes": landmark_set.notes,
        "contamination": str(contamination),
        "contaminated": contamination.status == "contaminated",
        "environment": environment(),
        "seed": SEED,
    }


def _describe_model(weights: Path | None, predictions: Path | None) -> dict[str, Any]:
    if weights is None and predictions is None:
        return {}
    if weights is None:
        assert predictions is not None
        record = read_json(predictions / "predictions.json")
        return {"hash": file_hash(predictions / "predictions.csv"), "predictions": record}
    return {
        "hash": file_hash(weights),
        "description": read_description(weights),
        "minutes": minutes_trained(weights.parent),
    }


def minutes_trained(detector: Path) -> dict[str, float]:
    """Minutes of training by stage, from the metrics of a detector's run folder and of the earlier stages' beside it."""
    found = {}
    stages = ["generator", "detector", REFINED] if detector.name == REFINED else ["generator", "detector"]
    folders = {stage: detector.parent / stage for stage in stages} | {stages[-1]: detector}
    for stage, folder in folders.items():
        seconds = [row["seconds"] for row in read_metrics(folder / "metrics.jsonl") if "seconds" in row]
        if seconds:
            found[stage] = max(seconds) / 60
    return found


def _write_errors(found: Predictions, landmark_set: LandmarkSet, protocol: Protocol, path: Path) -> None:
    """Per test image and landmark, headline regression: predicted and true place in pixels of the file, and the
    error."""
    import pandas as pd

    regression, test = protocol.headline, landmark_set.test
    result = evaluate_regression(align(found, landmark_set), landmark_set, protocol, regression)
    sizes, truth_px = landmark_set.sizes[test], landmark_set.landmarks_px[test]
    predicted_px = landmark_set.to_file_px(regression.frame.unplace(result.predicted, sizes, regression.origin), test)
    truth_px = landmark_set.to_file_px(truth_px, test)
    names = [landmark_set.images[index] for index in test]
    columns = {
        "image": [name for name in names for _ in protocol.landmarks],
        "landmark": list(protocol.landmarks) * len(names),
        "x_px": predicted_px[..., 0].ravel().round(3),
        "y_px": predicted_px[..., 1].ravel().round(3),
        "true_x_px": truth_px[..., 0].ravel().round(3),
        "true_y_px": truth_px[..., 1].ravel().round(3),
        "error_percent": result.errors.ravel().round(4),
    }
    with replacing(path) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)
