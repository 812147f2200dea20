"""Describe a file or folder that this project wrote, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kpdetect.data.schema import MANIFEST, SCHEMA
from kpdetect.data.shard import REPAIR
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.errors import CheckpointError, InputError, ShardError
from kpdetect.files.atomic import read_json
from kpdetect.files.reading import reading, shortened
from kpdetect.files.records import checked
from kpdetect.files.sources import SOURCES, read_sources
from kpdetect.images.image_files import list_names
from kpdetect.inference.prediction_record import read_prediction_head
from kpdetect.inference.predictions import RECORD, TABLE, VIDEOS, Predictions
from kpdetect.shipped import shipped_folder
from kpdetect.training.checkpoints import (
    CHECKPOINT,
    WEIGHTS,
    detector_stages,
    load_checkpoint_header,
    read_description,
    round_number,
)
from kpdetect.training.run_folder import read_metrics
from kpdetect.training.stage_choice import current_choice

PACKED = ("detector.safetensors", "generator.safetensors")


def describe_file(path: Path, *, verify: bool = False) -> Iterator[str]:
    """Describe a file or folder that this project wrote, or a model that comes with the package.

    A folder may be a project, a run folder, or a folder of shards, predictions, crops or packed weights.

    Args:
        path: the file or folder, or the name of a model that comes with the package.
        verify: also check the checksums of shards.

    Raises:
        InputError: the path does not exist, or this project did not write it.
        KpdetectError: a file is damaged.
    """
    path = shipped_folder(path) or path
    if not path.exists():
        raise InputError(f"{path}: no such file or folder, and no model of that name; `kpdetect models` lists the names")
    for applies, lines in _KINDS:
        if applies(path):
            yield from lines(path, verify)
            return
    raise InputError(
        f"{path}: kpdetect did not write this; expected a project, run, shard, predictions or crops folder, or a file in one"
    )


def _shards(path: Path, verify: bool) -> Iterator[str]:
    folder = ShardFolder(path if path.is_dir() else path.parent)
    facts, manifest = folder.facts, folder.manifest
    size = sum(shard.bytes for shard in manifest.shards)
    yield f"pairs: {len(folder):,} of {facts.size[0]}x{facts.size[1]} px with {facts.keypoints} keypoints"
    yield f"shards: {len(manifest.shards)}, codec {facts.codec}, {_mib(size)}, {size / len(folder):,.0f} bytes per pair"
    yield from _tree("provenance", facts.provenance)
    if verify:
        damaged = folder.damaged()
        if damaged:
            raise ShardError(
                f"{folder.folder}: the checksum of {', '.join(shard.file for shard in damaged)} is wrong; {REPAIR}"
            )
        yield f"checksums: all {len(manifest.shards)} shards are whole"


def _shard(path: Path, verify: bool) -> Iterator[str]:
    from kpdetect.files.hdf5 import opened_hdf5

    with opened_hdf5(path, ShardError, REPAIR) as file:
        if not np.array_equal(file.attrs.get("schema"), SCHEMA):
            raise InputError(f"{path}: this HDF5 file is not a shard of the format {SCHEMA}; give a shard")
        lines = [f"{name}: {shortened(str(value), 2_000)}" for name, value in file.attrs.items()]
        lines += [f"dataset {name}: {data.dtype} {list(data.shape)}" for name, data in file.items()]
    yield from lines


def _weights(path: Path, verify: bool) -> Iterator[str]:
    description = dict(read_description(path))
    yield f"weights of a {description.pop('kind')}, {_mib(path.stat().st_size)}"
    yield from _tree("", description)


def _packed(path: Path, verify: bool) -> Iterator[str]:
    for name in PACKED:
        if (path / name).exists():
            yield f"{name}:"
            yield from (f"  {line}" for line in _weights(path / name, verify))
    if behind := read_sources(path):
        yield f"real images behind the weights: {len(behind):,} ({SOURCES})"


def _crops(path: Path, verify: bool) -> Iterator[str]:
    yield f"crops: {len(list_names(path)):,} images, cut from {len(read_sources(path)):,} recorded images ({SOURCES})"


def _checkpoint(path: Path, verify: bool) -> Iterator[str]:
    kind, state = load_checkpoint_header(path)
    yield f"checkpoint of a {kind}, {_mib(path.stat().st_size)}"
    with reading(path, CheckpointError):
        step = f"step: {state['step']:,} after {state['seconds'] / 60:.1f} minutes"
    yield step


def _run(path: Path, verify: bool) -> Iterator[str]:
    if (path / WEIGHTS).exists():
        yield from _weights(path / WEIGHTS, verify)
    if (path / CHECKPOINT).exists():
        yield from _checkpoint(path / CHECKPOINT, verify)
    metrics = read_metrics(path / "metrics.jsonl")
    if metrics:
        last = {name: value for line in metrics if line.get("step") == metrics[-1].get("step") for name, value in line.items()}
        yield "last metrics: " + ", ".join(f"{name} {value}" for name, value in last.items())


def _predictions(path: Path, verify: bool) -> Iterator[str]:
    folder = path if path.is_dir() else path.parent
    predictions, record = Predictions.read(folder), read_prediction_head(folder)
    inputs = "images" if predictions.frames is None else f"frames of a video at {predictions.rate:g} a second"
    yield f"predictions: {len(predictions.images):,} {inputs}, {predictions.keypoints_px.shape[1]} keypoints"
    if predictions.points.named:
        yield f"names: {', '.join(predictions.points.names)}"
    yield f"mean confidence: {predictions.confidence.mean():.2f}"
    yield f"model: {record.model}, skipped images: {len(record.skipped)}"


def _videos(path: Path, verify: bool) -> Iterator[str]:
    for folder in sorted((path / VIDEOS).iterdir()):
        if (folder / RECORD).exists():
            yield f"{folder.name}:"
            yield from (f"  {line}" for line in _predictions(folder, verify))


def _images_and_videos(path: Path, verify: bool) -> Iterator[str]:
    if (path / RECORD).exists():
        yield from _predictions(path, verify)
    if (path / VIDEOS).is_dir():
        yield from _videos(path, verify)


def _project(path: Path, verify: bool) -> Iterator[str]:
    first = "correspondence" if (path / "correspondence").exists() else "generator"
    if choice := current_choice(path, {stage: path / stage / WEIGHTS for stage in detector_stages(path)}):
        yield choice.sentence
    for stage in (first, "pairs", *detector_stages(path), "predictions", "results", "report"):
        folder = path / stage
        if not folder.exists():
            yield f"{stage}: not there yet"
            continue
        if round_number(stage) is not None and not any(applies(folder) for applies, _ in _KINDS):
            yield f"{stage}: begun"
            continue
        yield f"{stage}:"
        if stage in ("results", "report"):
            yield from (f"  {file.name}" for file in sorted(folder.iterdir()) if file.is_file())
        else:
            yield from (f"  {line}" for line in describe_file(folder, verify=verify))


def _environment(path: Path, verify: bool) -> Iterator[str]:
    yield from _tree("", checked(dict[str, Any], read_json(path), path))


def _tree(title: str, values: dict[str, Any], indent: str = "") -> Iterator[str]:
    if title:
        yield f"{indent}{title}:"
        indent += "  "
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _tree(name, value, indent)
        else:
            yield f"{indent}{name}: {value}"


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _has_predictions(path: Path) -> bool:
    return path.is_dir() and ((path / RECORD).exists() or any(path.glob(f"{VIDEOS}/*/{RECORD}")))


def _has(*names: str) -> Any:
    return lambda path: path.is_dir() and any((path / name).exists() for name in names)


def _is_crops(path: Path) -> bool:
    of_a_run = (path / "config.yaml").exists()  # a run without weights yet
    return path.is_dir() and not of_a_run and bool(read_sources(path)) and any(path.rglob("*.png"))


def _named(*endings: str) -> Any:
    return lambda path: path.is_file() and path.name.endswith(endings)


_KINDS = (
    (_has(MANIFEST), _shards),
    (_has_predictions, _images_and_videos),
    (_has(WEIGHTS, CHECKPOINT), _run),
    (_has("generator", "detector"), _project),
    (_has(*PACKED), _packed),
    (_named(MANIFEST), _shards),
    (_named(RECORD, TABLE), _predictions),
    (_named(".safetensors"), _weights),
    (_named(".pt"), _checkpoint),
    (_named(".h5"), _shard),
    (_named(".json"), _environment),
    (_is_crops, _crops),
)
