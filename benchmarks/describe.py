"""Summaries of files and folders of measurements, for `kpdetect info`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import measurement_records
from benchmarks.ablations.config import CELLS, CONFIG, DESCRIPTION, MEASURED
from benchmarks.evaluation import prediction_file, results
from benchmarks.measurement_records import RECORDS
from benchmarks.studies.verdict import read_verdict
from kpdetect.errors import FormatError
from kpdetect.files.atomic import read_json
from kpdetect.files.reading import reading
from kpdetect.files.records import checked


def describe_measurements(path: Path) -> list[str]:
    """Describe a file or folder of measurements in a few lines; return no lines for anything else.

    These are predictions, results, ablations and their cells, `measured.json`, `nearest.json`, `control.json`,
    `embeddings.json`, `verdict.json`, and folders of results or ablations.

    Raises:
        FormatError: the file is damaged.
    """
    if path.is_dir():
        return list(_folder(path))
    if path.name == prediction_file.NAME or prediction_file.is_prediction_file(path):
        return list(_predictions(path))
    if path.suffix != ".json" or not path.is_file():
        return []
    content = read_json(path)
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, str) or schema not in _BY_SCHEMA:
        return []
    with reading(path, FormatError, "damaged, or of another version; make it again"):
        if schema in RECORDS:
            checked(RECORDS[schema], content, path, advice="damaged, or of another version; make it again")
        return list(_BY_SCHEMA[schema](path, content))


def _folder(path: Path) -> Iterator[str]:
    if (path / CELLS).is_dir() and (path / CONFIG).is_file():
        yield from _ablations(path)
    elif (path / prediction_file.NAME).is_file():
        for file in [path / prediction_file.NAME, *sorted(path.glob("*.json"))]:
            yield f"{file.name}:"
            yield from (f"  {line}" for line in describe_measurements(file))


def _predictions(path: Path) -> Iterator[str]:
    for key in prediction_file.entry_keys(path):
        data, checkpoint = key.split("/")
        entry = prediction_file.read_entry(path, data, checkpoint)
        predictions = entry.predictions
        yield f"predictions for {data}: {len(predictions.images):,} images, {predictions.keypoints_px.shape[1]} keypoints"
        yield f"  model: {checkpoint}{_minutes(entry.model)}"
        yield f"  mean confidence: {predictions.confidence.mean():.2f}"
        yield f"  images in the model's training: {'no record' if entry.seen is None else f'{int(entry.seen.sum()):,}'}"
        yield f"  {_made(entry.environment)}"


def _result(path: Path, content: dict[str, Any]) -> Iterator[str]:
    result = results.read_result(path)
    yield f"result: {result.protocol} on {result.data}, {result.fitted:,} fitting images, {result.tested:,} test images"
    yield f"error: {result.metric}; {result.headline[0].regression if result.headline else 'no headline'}"
    for row in result.headline:
        low, high = row.interval95
        yield f"  {row.method}: {row.mean_of_ratios:.2f} (95 % {low:.2f} to {high:.2f})"
    yield f"model: {result.model['hash'] if result.model else 'none, baselines alone'}{_minutes(result.model)}"
    yield f"test images: {result.contamination}"
    yield from (f"note: {note}" for note in result.notes)
    yield _made(content["environment"])


def _minutes(model: Any) -> str:
    minutes = (model or {}).get("minutes", {})
    return f", trained {sum(minutes.values()):.1f} minutes" if minutes else ""


def _ablation(path: Path, content: dict[str, Any]) -> Iterator[str]:
    config = content["config"]
    names = dict.fromkeys(entry["cell"] for entry in content["entries"] if entry["cell"])
    yield f"ablation {content['table']}: {content['title']} ({content['source']})"
    yield from _setting(config)
    yield f"cells: {len(content['cells'])} of {len(names)} finished, {len(content['failed'])} failed"
    for entry in content["entries"]:
        if entry["ours"] is not None:
            ours = entry["ours"] if isinstance(entry["ours"], str) else f"{entry['ours']:.2f}"
            published = "" if entry["published"] is None else f" (published {entry['published']})"
            column = "" if entry["column"] == entry["measure"] else f", {entry['column']}"
            yield f"  {entry['row']}{column}, {entry['measure']}: {ours}{published}"
    yield from (f"  {name} failed: {reason}" for name, reason in content["failed"].items())
    yield _made(content["environment"])


def _setting(config: dict[str, Any]) -> Iterator[str]:
    yield f"images: {config['images']}"
    split = "test images" if config["test"] else "cross-validated inside the fitting images"
    yield f"measured on: {config['data']} ({config['protocol']}, {split})" if config["data"] else "measured: images alone"
    yield f"each: {config['minutes_each']:g} minutes, preset {config['preset']}, {config['size']} px, seed {config['seed']}"


def _ablations(path: Path) -> Iterator[str]:
    from benchmarks.ablations.config import AblationConfig
    from kpdetect.config import read_config

    yield "ablations"
    yield from _setting(read_config(AblationConfig, path / CONFIG).model_dump(mode="json"))
    for cell in sorted(file.parent for file in (path / CELLS).glob(f"*/{DESCRIPTION}")):
        yield f"  {cell.name}: {'finished' if (cell / MEASURED).exists() else 'not finished'}"
    for table in sorted(path.glob("table*.json")):
        yield f"{table.name}: {next(iter(describe_measurements(table)), 'something else')}"


def _cell(path: Path, content: dict[str, Any]) -> Iterator[str]:
    yield f"cell {path.parent.name} of an ablation: {content['images_seen']:,} images seen"
    if "error" in content:
        yield f"error: {content['error']:.2f} (floor {content['error_floor']:.2f}), {content['measured_on']}"
    if content.get("distance") is not None:
        yield f"distance: {content['distance']:.2f}"
    if "control" in content:
        yield f"control: {content['control']['verdict']}"
    yield f"generator: {content['generator']}, detector: {content['detector'] or 'none'}"
    yield _made(content["environment"])


def _measured(path: Path, content: dict[str, Any]) -> Iterator[str]:
    yield f"measured: {content['model']} with {content['images']}, seed {content['seed']}"
    for row in content["rows"]:
        floor = "" if row["floor"] is None else f" (floor {row['floor']:.4f})"
        yield f"  {row['name']}: {row['value']:.4f}{floor}"
    yield _made(content["environment"])


def _verdict(path: Path, content: dict[str, Any]) -> Iterator[str]:
    verdict = read_verdict(path)
    yield f"verdict without labels, from {verdict.images:,} images; score {verdict.score:.2f} of 1"
    yield from (f"  {sentence}" for sentence in verdict.sentences)
    yield f"detector: {verdict.detector}, generator: {verdict.generator or 'none'}"


def _nearest(path: Path, content: dict[str, Any]) -> Iterator[str]:
    yield f"nearest training images of {content['model']}: {content['images']:,} generated, seed {content['seed']}"
    yield f"compared with {content['training_images']:,} images of {content['folder']}"
    yield f"generated images that are closer than 99 % of the training images are: {100 * content['closer']:.1f} %"
    yield f"generator: {content['generator']}"
    yield _made(content["environment"])


def _control(path: Path, content: dict[str, Any]) -> Iterator[str]:
    pose, appearance, background = content["strength"]
    yield f"control of {content['model']}: {content['verdict']}, {content['pairs']:,} pairs, seed {content['seed']}"
    yield f"strength: pose {pose:.3f}, appearance {appearance:.3f}, background {background:.3f}"
    yield f"motion: by appearance {content['motion'][0]:.2f}, by background {content['motion'][1]:.2f} (pose: 1)"
    yield f"overlap of appearance and background: {content['overlap']:.2f}"
    yield f"generator: {content['generator']}"
    yield _made(content["environment"])


def _embeddings(path: Path, content: dict[str, Any]) -> Iterator[str]:
    yield f"embeddings of {content['model']}: {content['images']:,} images, seed {content['seed']}"
    yield f"variance in two principal components: {100 * content['explained']:.0f} %"
    if content["separable"] is not None:
        yield f"accuracy of a linear classifier: {content['separable']:.1f} % (floor {content['separable_floor']:.1f} %)"
    yield f"generator: {content['generator']}"
    yield _made(content["environment"])


def _made(environment: dict[str, Any]) -> str:
    return f"made {environment.get('time', 'some time')} by commit {environment['commit']}"


_BY_SCHEMA: dict[str, Callable[[Path, dict[str, Any]], Iterator[str]]] = {
    results.SCHEMA: _result,
    measurement_records.ABLATION: _ablation,
    measurement_records.ABLATION_CELL: _cell,
    measurement_records.MEASURED: _measured,
    measurement_records.NEAREST: _nearest,
    measurement_records.CONTROL: _control,
    measurement_records.EMBEDDINGS: _embeddings,
    **dict.fromkeys((measurement_records.VERDICT, *measurement_records.EARLIER_VERDICTS), _verdict),
}
