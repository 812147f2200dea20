"""What reads each kind of file: the code behind the commands. Readers may raise errors of `kpdetect.errors`, nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks.datasets.annotation_formats import read_annotations
from benchmarks.describe import describe_measurements
from benchmarks.evaluation.prediction_file import entry_keys, read_entry
from benchmarks.evaluation.results import read_errors, read_result, read_result_errors
from benchmarks.reporting.charts import curves
from generator.config import GeneratorConfig
from generator.editing.output import _clear
from generator.stream import PairStream, load_generator
from kpdetect.config import read_config
from kpdetect.data.crop_sources import originals
from kpdetect.data.derived_files import recorded
from kpdetect.data.folder import ImageCache
from kpdetect.data.name_lists import read_lines
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.held_out import Patience
from kpdetect.errors import InputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.reading import reading
from kpdetect.files.sources import merge_sources, read_sources, recorded_sources
from kpdetect.images.image_files import image_size, read_image
from kpdetect.inference.boxes import read_boxes
from kpdetect.inference.describe import describe_file
from kpdetect.inference.earlier_results import is_finished, skipped_before
from kpdetect.inference.labels import labels_of
from kpdetect.inference.page_reader import PageReader
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.sources import is_stack
from kpdetect.inference.video import VideoReader
from kpdetect.refinement.config import RefineConfig, WarpConfig
from kpdetect.toy.dataset import read_description as read_toy
from kpdetect.training.checkpoints import CHECKPOINT
from kpdetect.training.data_key import DataKey
from kpdetect.training.initial_weights import InitialWeights, began_with
from kpdetect.training.loop import Trainer, images_of
from kpdetect.training.model_description import ModelDescription
from kpdetect.training.run_folder import RunFolder, read_metrics
from kpdetect.training.runtime import resolve_runtime
from tests.fuzz import project_readers

CONFIGS: dict[str, Any] = {
    "generator": GeneratorConfig, "detector": DetectorConfig, "refine": RefineConfig, "ladder": WarpConfig,
}  # fmt: skip


def told(path: Path) -> None:
    """`kpdetect info`; what is said has to be printable."""
    lines = describe_measurements(path) or list(describe_file(path))
    "\n".join(lines).encode("utf-8", errors="surrogateescape")


def read_pairs(path: Path) -> None:
    """Pairs whose shard was damaged by somebody who corrected the manifest."""
    folder = path.parent
    if path.suffix == ".h5":
        manifest = json.loads((folder / "manifest.json").read_text())
        for shard in manifest["shards"]:
            shard.update(bytes=(folder / shard["file"]).stat().st_size, sha256=file_hash(folder / shard["file"]))
        (folder / "manifest.json").write_text(json.dumps(manifest))
        told(path)
    pairs = ShardFolder(folder)
    pairs.damaged()
    for index in range(min(len(pairs), 20)):
        pairs.read(index)
        pairs.read_jpeg(index)
        if pairs.facts.masks:
            pairs.read_mask(index)
    pairs.read_all()
    list(describe_file(folder, verify=False))


def read_predictions(path: Path) -> None:
    folder = path.parent
    if path.suffix not in (".csv", ".json") or folder.name == "formats":
        return
    Predictions.read(folder)
    is_finished(folder, {"model": "ab", "settings": {}})
    skipped_before(folder, strict=False)
    told(folder)


def read_prediction_file(path: Path) -> None:
    for key in entry_keys(path):
        read_entry(path, *key.split("/"))
    told(path)


def read_model(path: Path) -> None:
    """Whatever lies in a detector's run folder."""
    folder, weights = path.parent, path.parent / "model.safetensors"
    told(folder)
    if path.name == "model.safetensors":
        told(path)
        Predictor.load(path, "cpu").read_squares(torch.zeros(1, 32, 32, 3, dtype=torch.uint8).numpy())
        InitialWeights.read(path, "detector")
    elif path.name == "keypoints.yaml":
        labels_of(weights)
    elif path.name == "config.yaml":
        read_config(DetectorConfig, path)
    elif path.name == "metrics.jsonl":
        with reading(path):  # as the report does
            curves(read_metrics(path))
        RunFolder.rewind(SimpleNamespace(metrics=path), 2)  # type: ignore[arg-type]
    elif path.name == "sources.csv":
        originals(folder, ["a.png", "b/c.png"], ["a.png"])
        recorded_sources(path)
        merge_sources(folder.parent, folder)
    elif path.name == "initial.json":
        began_with(SimpleNamespace(folder=folder))  # type: ignore[arg-type]
    else:
        told(path)


def read_checkpoint(path: Path) -> None:
    """Continue a run from it."""
    network = torch.nn.Linear(2, 3)
    parts = {"net": network, "adam": torch.optim.Adam(network.parameters()), "patience": Patience(3)}
    run = SimpleNamespace(checkpoint=path, folder=path.parent, rewind=lambda step: None)
    trainer = SimpleNamespace(
        run=run, kind="detector", data=DataKey(source="d"), other_data="other data", stateful=lambda: parts,
        runtime=SimpleNamespace(is_main=True),
    )  # fmt: skip
    images_of(run, "detector")  # type: ignore[arg-type]
    initial = InitialWeights(path.with_name("model.safetensors"), {}, ModelDescription(kind="detector", version=1))
    initial.companion("net")
    told(path)
    Trainer.restore(trainer)  # type: ignore[arg-type]
    network(torch.zeros(1, 2)).sum().backward()
    parts["adam"].step()  # type: ignore[attr-defined]


def read_generator(path: Path) -> None:
    told(path)
    load_generator(path)
    PairStream(path, resolve_runtime("cpu")).provenance  # noqa: B018


def read_configs(path: Path) -> None:
    kind = CONFIGS[path.stem]
    read_config(kind, path)
    read_config(kind(), path)


def read_table(path: Path) -> None:
    if path.name == "boxes.csv":
        read_boxes(path, ["a.png", "b.png"])
    elif path.name == "list.txt":
        read_lines(path, "--list")
    else:
        read_annotations(path)


def read_results(path: Path) -> None:
    if path.name.endswith("-errors.csv"):
        read_errors(path)
    elif path.name == "edits.json":
        _clear(path.parent)
    elif path.name == "toy.json":
        read_toy(path.parent)
    elif path.name == "derived.json":
        recorded(path.parent)
    elif path.name.startswith("toy_"):
        read_result_errors(path, read_result(path))
    if path.exists() and path.suffix == ".json":
        told(path)


def read_picture(path: Path) -> None:
    image_size(path)
    if is_stack(path):
        with PageReader(path) as pages:
            for _ in pages.frames():
                pass
    else:
        read_image(path)


def read_video(path: Path) -> None:
    with VideoReader(path) as video:
        for _ in zip(range(100), video.frames(), strict=False):
            pass


def read_cache(path: Path) -> None:
    if path.name == "images.h5":
        hashlib.sha256(ImageCache(path).images.tobytes())
    elif path.name == "sources.csv":
        read_sources(path.parent)
    else:
        raise InputError("a picture")


READERS: dict[str, Callable[[Path], None]] = {
    "pairs-jpeg": read_pairs,
    "pairs-raw": read_pairs,
    "predictions": read_predictions,
    "prediction-file": read_prediction_file,
    "detector": read_model,
    "checkpoint": read_checkpoint,
    "generator": read_generator,
    "configs": read_configs,
    "annotations": read_table,
    "results": read_results,
    "images": read_picture,
    "videos": read_video,
    "cache": read_cache,
    **project_readers.READERS,
}
assert CHECKPOINT == "checkpoint.pt"
