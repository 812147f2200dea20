"""A small right file of every kind that kpdetect reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import measurement_records
from benchmarks.evaluation.prediction_file import Entry, write_entry
from benchmarks.evaluation.result_row import Row
from benchmarks.evaluation.results import ErrorTable, Result, errors_path, write_errors, write_result
from generator.config import GeneratorConfig
from generator.model import Generator
from kpdetect.config import write_config
from kpdetect.data.schema import Facts, Manifest
from kpdetect.data.shard_writer import ShardWriter
from kpdetect.detector.config import DetectorConfig, DetectorModelConfig
from kpdetect.detector.model import build_detector
from kpdetect.files.atomic import write_json
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import write_sources
from kpdetect.inference.formats.choice import FORMATS, write_formats
from kpdetect.inference.labels import Labels
from kpdetect.inference.predictions import Predictions
from kpdetect.pairs import PairBatch
from kpdetect.refinement.config import RefineConfig, WarpConfig
from kpdetect.skeleton import Skeleton
from kpdetect.training.checkpoints import save_checkpoint, save_weights
from tests.fuzz import dataset_originals, picture_originals, project_originals
from tests.fuzz.picture_originals import HEIGHT, WIDTH, picture

ENVIRONMENT: dict[str, Any] = {"time": "2024-01-01", "commit": "c", "python": "3", "packages": {}, "hardware": {"cores": 2}}


def make_pairs(folder: Path, codec: Any) -> None:
    facts = Facts(codec=codec, size=(16, 16), keypoints=2, shard_size=3, provenance={"seed": 0, "crop": "centre"}, masks=True)
    manifest = Manifest(facts=facts)
    images = np.stack([picture(index, 16, 16) for index in range(5)])
    points, visible = np.zeros((5, 2, 2), np.float32), np.ones((5, 2), np.bool_)
    with ThreadPoolExecutor(1) as pool:
        for number, (start, stop) in enumerate(((0, 3), (3, 5))):
            with ShardWriter(folder / f"pairs-{number:05d}.h5", facts, start, stop, pool) as shard:
                rows, masks = slice(start, stop), np.zeros((stop - start, 16, 16), np.uint8)
                shard.append(PairBatch(images=images[rows], keypoints=points[rows], visible=visible[rows], masks=masks))
            manifest = manifest.including(shard.describe())
    manifest.write(folder)


def predictions(video: bool = False) -> Predictions:
    names = ["v.mp4/000000.png", "v.mp4/000003.png", "v.mp4/000006.png"] if video else ["a.png", "b/c.png", "d.jpg"]
    return Predictions(
        images=names,
        keypoints_px=np.arange(12, dtype=np.float32).reshape(3, 2, 2),
        confidence=np.full((3, 2), 0.5, np.float32),
        sizes=np.tile(np.array([[HEIGHT, WIDTH]]), (3, 1)),
        skeleton=Skeleton(numbers=(0, 2), names=("eye", "nose"), links=((0, 1),), pairs=()),
        frames=np.array([0, 3, 6]) if video else None,
        rate=25.0 if video else None,
    )


def make_predictions(folder: Path) -> None:
    for name, video in (("images", False), ("video", True)):
        record = {"model": "ab", "skipped": {"e.png": "damaged"}, "settings": {"stride": 1}, "source": "in", "labels": {}}
        (folder / name).mkdir(parents=True)
        predictions(video).write(folder / name, {**record, "description": {"keypoints": 3}, "files": {"a.png": "0"}})
    write_formats(predictions(), [name for name in FORMATS if name not in ("csv", "dlc-h5")], folder / "formats", 0.0)


def make_prediction_file(folder: Path) -> None:
    plain = predictions()
    entry = Entry(
        data="toy",
        predictions=plain,
        contents=["0", "1", "2"],
        seen=np.ones(3, np.bool_),
        model={"hash": "ab", "minutes": {"detector": 1.0}, "description": {}},
        environment=ENVIRONMENT,
    )
    write_entry(folder / "predictions.h5", entry)


def make_detector(folder: Path) -> None:
    config = DetectorConfig(model=DetectorModelConfig(input_size=32, head_width=4, head_stages=1))
    description: dict[str, Any] = {"config": config.model_dump(mode="json"), "keypoints": 2, "pair_size": [32, 32]}
    description |= {
        "crop": "centre",
        "provenance": {"seed": 0},
        "step": 3,
        "images_seen": 9,
        "minutes": 0.5,
        "began_with": None,
    }
    description["calibration"] = {"near": 0.1, "mass": [0.0, 1.0], "probability": [0.0, 1.0], "usual": 0.5}
    description["keypoint_layout"] = {"places": [[0, 0], [1, 1]], "distances": [[0, 1], [1, 0]]}
    torch.manual_seed(0)
    network = build_detector(config.model, 2)
    save_weights(folder / "model.safetensors", "detector", network.state_dict(), description)
    write_config(Labels(names={0: "eye"}, links=((0, 1),)), folder / "keypoints.yaml")
    write_config(config, folder / "config.yaml")
    write_json(folder / "environment.json", ENVIRONMENT)
    write_json(folder / "initial.json", {"weights": "m", "hash": "ab", "images_seen": 3, "minutes": 1.0, "began_with": None})
    (folder / "metrics.jsonl").write_text("".join(json.dumps({"step": n, "loss": n / 2}) + "\n" for n in range(4)))
    write_sources(folder, [("a.png", "00"), ("b/c.png", "11")])


def make_checkpoint(folder: Path) -> None:
    network = torch.nn.Linear(2, 3)
    adam = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 2)).sum().backward()
    adam.step()
    state = {"net": network.state_dict(), "adam": adam.state_dict(), "patience": {"best": 1.0, "since": 2}}
    save_checkpoint(folder / "checkpoint.pt", "detector", state | {"step": 3, "seconds": 2.0, "data": "d"})


def make_generator(folder: Path) -> None:
    model = {"size": 32, "keypoints": 2, "widths": [4, 4], "background_widths": [4, 4], "noise_width": 4, "embedding_width": 4}
    config = GeneratorConfig.model_validate({"model": {**model, "mlp_width": 4, "spade_width": 2}})
    description = {"config": config.model_dump(mode="json"), "drawn_size": 32, "images_seen": 1, "minutes": 0.1, "commit": "c"}
    tensors = Generator(config.model).state_dict()
    save_weights(folder / "generator.safetensors", "generator", tensors, {**description, "training_images": 3})


def make_configs(folder: Path) -> None:
    every = {"generator": GeneratorConfig(), "detector": DetectorConfig(), "refine": RefineConfig(), "ladder": WarpConfig()}
    for name, config in every.items():
        write_config(config, folder / f"{name}.yaml")


def make_annotations(folder: Path) -> None:
    (folder / "wide.csv").write_text("image,eye_x,eye_y,nose_x,nose_y\na.png,1,2,3,4\nb.png,5,6,,\n")
    (folder / "long.csv").write_text("image,keypoint,x_px,y_px,visible\na.png,eye,1,2,1\na.png,nose,3,4,0\nb.png,eye,5,6,1\n")
    (folder / "dlc.csv").write_text("scorer,s,s\nbodyparts,eye,eye\ncoords,x,y\na.png,1,2\nb.png,,\n")
    images = [{"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(2)]
    made = [{"id": n, "image_id": n, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 1], "num_keypoints": 2} for n in range(2)]
    category = {"id": 1, "name": "x", "keypoints": ["eye", "nose"]}
    write_json(folder / "coco.json", {"images": images, "annotations": made, "categories": [category]})
    checked = replace(predictions(), human=np.ones((3, 2), np.bool_))
    write_formats(checked, ["label-studio"], folder, 0.0)
    for other in ("label-studio.xml", "derived.json"):
        (folder / other).unlink()
    (folder / "boxes.csv").write_text("image,left,top,width,height\na.png,1,2,5.5,4\n")
    (folder / "list.txt").write_text("a.png\nb/c.png\n")


def make_results(folder: Path) -> None:
    row = Row(
        method="m",
        kind="model",
        regression="r",
        bias=True,
        headline=True,
        mean_of_ratios=1.0,
        ratio_of_means=1.0,
        median=1.0,
        interval95=(0.5, 1.5),
        per_point={"eye": 1.0},
        pck={"2": 50.0},
        auc=3.0,
        rank=2,
        columns=2,
    )
    points = np.ones((2, 1, 2))
    table = ErrorTable(images=["a", "b"], landmarks=["eye"], true_px=points, predicted_px=points, errors={"m": np.ones((2, 1))})
    errors = write_errors(table, folder / "e.csv")
    result = Result(
        protocol="toy",
        metric="m",
        thresholds=("2",),
        protocol_source="s",
        data="d",
        data_folder="f",
        lists={"l": "h"},
        fitted=1,
        tested=2,
        notes=("n",),
        contamination="clean",
        contaminated=False,
        model={"hash": "ab", "minutes": {"detector": 1.0}},
        environment=ENVIRONMENT,
        seed=0,
        errors=file_hash(errors),
        rows=(row,),
    )
    errors.rename(errors_path(write_result(result, folder)))
    common = {"version": 1, "environment": ENVIRONMENT, "seed": 0, "model": "m", "generator": "g"}
    config = {
        "images": "i",
        "test": True,
        "data": "d",
        "protocol": "p",
        "minutes_each": 1.0,
        "preset": "tiny",
        "size": 64,
        "seed": 0,
    }
    entry = {"row": "r", "column": "c", "measure": "e", "cell": "x", "ours": 1.0, "published": 2.0}
    measured = {
        measurement_records.NEAREST: {"images": 3, "training_images": 4, "folder": "f", "closer": 0.1},
        measurement_records.CONTROL: {
            "verdict": "v",
            "pairs": 3,
            "strength": [0.1, 0.2, 0.3],
            "motion": [0.1, 0.2],
            "overlap": 0.3,
        },
        measurement_records.EMBEDDINGS: {"images": 3, "explained": 0.5, "separable": 90.0, "separable_floor": 50.0},
        measurement_records.MEASURED: {"images": "i", "rows": [{"name": "n", "value": 1.0, "floor": 0.5}]},
        measurement_records.ABLATION: {
            "table": "t",
            "title": "t",
            "source": "s",
            "config": config,
            "cells": {"x": {}},
            "failed": {"y": "why"},
            "entries": [entry],
        },
        measurement_records.ABLATION_CELL: {
            "images_seen": 3,
            "distance": 1.0,
            "error": 1.0,
            "error_floor": 2.0,
            "measured_on": "m",
            "detector": "d",
        },
    }
    for schema, content in measured.items():
        write_json(folder / f"{schema}.json", {"schema": schema, **common, **content})
    write_json(folder / "edits.json", {"files": ["a.png", "frames/0/0.png"], "environment": ENVIRONMENT})
    write_json(folder / "toy.json", {"seed": 0, "size": 32, "version": 1, "count": 3})
    write_json(folder / "derived.json", {"coco": {"source": "ab", "complete": True, "files": {"a.json": 3}}})


MAKERS: dict[str, Callable[[Path], None]] = {
    "pairs-jpeg": lambda folder: make_pairs(folder, "jpeg"),
    "pairs-raw": lambda folder: make_pairs(folder, "raw"),
    "predictions": make_predictions,
    "prediction-file": make_prediction_file,
    "detector": make_detector,
    "checkpoint": make_checkpoint,
    "generator": make_generator,
    "configs": make_configs,
    "annotations": make_annotations,
    "results": make_results,
    **picture_originals.MAKERS,
    **project_originals.MAKERS,
    **dataset_originals.MAKERS,
}


def make_originals(root: Path) -> None:
    """A folder of each kind."""
    for name, make in MAKERS.items():
        (root / name).mkdir(parents=True)
        make(root / name)
