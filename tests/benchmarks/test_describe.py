"""What `kpdetect info` says of measurements."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.ablations.ablation_table import write_ablation
from benchmarks.ablations.config import AblationConfig, cell_folder
from benchmarks.ablations.tables import build_table
from benchmarks.benchmarking.benchmark import benchmark
from benchmarks.describe import describe_measurements
from benchmarks.studies.controllability import Control, write_control_record
from benchmarks.studies.measured_rows import MeasuredNumber, write_measured
from benchmarks.studies.nearest import Nearest
from kpdetect.cli.main import app
from kpdetect.config import write_config
from kpdetect.errors import FormatError
from kpdetect.files.atomic import write_json
from kpdetect.images.image_files import write_image
from kpdetect.inference.crop import crop_images
from kpdetect.inference.packing import pack_model
from kpdetect.toy.dataset import write_toy

MADE = {"time": "2020-01-02T03:04:05+00:00", "commit": "abc"}


def info(path: Path) -> list[str]:
    done = CliRunner().invoke(app, ["info", str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output.splitlines()


@pytest.mark.slow
def test_predictions_and_results_of_a_benchmark(small_project: Path, tmp_path: Path) -> None:
    write_toy(tmp_path / "toy", 20, size=32)
    path = benchmark("toy", small_project, tmp_path / "toy", tmp_path / "out", baselines=False).path
    checkpoint = json.loads(path.read_text())["model"]["hash"]
    lines = info(tmp_path / "out" / "predictions.h5")
    assert lines[0] == "predictions for toy: 16 images, 3 keypoints"  # every fourth of five is not used
    assert lines[1].startswith(f"  model: {checkpoint}")
    (tmp_path / "copy.h5").write_bytes((tmp_path / "out" / "predictions.h5").read_bytes())
    assert info(tmp_path / "copy.h5") == lines
    lines = info(path)
    assert lines[0] == "result: toy on toy, 12 fitting images, 4 test images"
    assert lines[1] == "error: distance in % of the distance left_eye - right_eye; image px, with bias"
    assert any(line.startswith("  mean shape: ") for line in lines)
    assert any(line.startswith(f"model: {checkpoint}") for line in lines)
    folder = info(tmp_path / "out")
    assert folder[0] == "predictions.h5:"
    assert f"{path.name}:" in folder
    path.write_text(path.read_text().replace('"fitted": 12', '"fitted": "12"'))
    with pytest.raises(FormatError, match="damaged result, field fitted"):
        describe_measurements(path)


def test_an_ablation_its_folder_and_a_cell(tmp_path: Path) -> None:
    config = AblationConfig(images="faces", data="celeba", minutes_each=2)
    table = build_table("table6", config)
    for cell in table.cells[:2]:
        write_json(cell_folder(tmp_path, cell.name) / "cell.json", {})
    found = {"error": 7.125, "error_floor": 9.5, "distance": 80.0, "measured_on": "some images", "images_seen": 64_000}
    found |= {"schema": "kpdetect-ablation-cell", "generator_minutes": 1.4, "generator": "aa", "detector": None}
    write_json(cell_folder(tmp_path, "embedding-16") / "measured.json", found | {"environment": MADE})
    write_config(config, tmp_path / "config.yaml")
    write_ablation(table, tmp_path, config, {"embedding-32": "it collapsed"})
    lines = info(tmp_path / "table6.json")
    assert lines[0].startswith("ablation table6: Length of the embeddings (table 6;")
    assert lines[1:5] == [
        "images: faces",
        "measured on: celeba (mafl-aligned, cross-validated inside the fitting images)",
        "each: 2 minutes, preset tiny, 64 px, seed 0",
        "cells: 1 of 4 finished, 1 failed",
    ]
    assert lines[5:8] == [
        "  16, error: 7.12 (published 4.61)",
        "  16, distance: 80.00 (published 28.85)",
        "  embedding-32 failed: it collapsed",
    ]
    folder = info(tmp_path)
    assert folder[0] == "ablations"
    assert folder[4:6] == ["  embedding-16: finished", "  embedding-32: not finished"]
    assert folder[6].startswith("table6.json: ablation table6")
    cell = info(cell_folder(tmp_path, "embedding-16") / "measured.json")
    assert cell[:3] == [
        "cell embedding-16 of an ablation: 64,000 images seen",
        "error: 7.12 (floor 9.50), some images",
        "distance: 80.00",
    ]
    assert cell[-1] == "made 2020-01-02T03:04:05+00:00 by commit abc"


def test_measured_numbers_and_control(tmp_path: Path) -> None:
    rows = [MeasuredNumber(name="CPD", value=0.75), MeasuredNumber(name="mask IoU, %", value=60, floor=50)]
    write_measured(rows, Path("faces-64"), tmp_path, {"images": "faces", "count": 10, "pairs": 2, "seed": 3})
    assert info(tmp_path / "measured.json")[:3] == [
        "measured: faces-64 with faces, seed 3",
        "  CPD: 0.7500",
        "  mask IoU, %: 60.0000 (floor 50.0000)",
    ]
    control = Control(strength=(1.0, 0.5, 0.25), motion=(0.1, 0.2), overlap=-0.5, verdict="good")
    write_control_record(control, tmp_path / "control.json", {"model": "faces-64", "generator": "aa", "pairs": 64, "seed": 0})
    assert info(tmp_path / "control.json")[:4] == [
        "control of faces-64: good, 64 pairs, seed 0",
        "strength: pose 1.000, appearance 0.500, background 0.250",
        "motion: by appearance 0.10, by background 0.20 (pose: 1)",
        "overlap of appearance and background: -0.50",
    ]
    near = Nearest(generated=(1.0,) * 4, training=(2.0,) * 4, closer=0.011, images=10, training_images=20)
    facts = {"schema": "kpdetect-nearest", "model": "faces-64", "generator": "aa", "folder": "faces", "seed": 3}
    write_json(tmp_path / "nearest.json", facts | vars(near) | {"environment": MADE})
    assert info(tmp_path / "nearest.json")[:3] == [
        "nearest training images of faces-64: 10 generated, seed 3",
        "compared with 20 images of faces",
        "generated images that are closer than 99 % of the training images are: 1.1 %",
    ]
    write_json(tmp_path / "control.json", {"schema": "kpdetect-control", "verdict": "good"})
    with pytest.raises(FormatError, match="damaged, or of another version"):
        describe_measurements(tmp_path / "control.json")


def test_other_files_are_left_to_others(tmp_path: Path) -> None:
    write_json(tmp_path / "environment.json", MADE)
    assert describe_measurements(tmp_path / "environment.json") == []
    assert describe_measurements(tmp_path) == []
    assert describe_measurements(tmp_path / "nothing.json") == []
    assert info(tmp_path / "environment.json")[1] == "commit: abc"


@pytest.mark.slow
def test_models_by_name_packed_ones_and_crops(tmp_path: Path, small_project: Path) -> None:
    lines = info(Path("toy-32"))
    assert lines[0] == "detector.safetensors:"
    assert "generator.safetensors:" in lines
    assert lines[-1].startswith("real images behind the weights: 4,0")
    pack_model(small_project, tmp_path / "packed")
    assert info(tmp_path / "packed")[0] == "detector.safetensors:"
    for number in range(3):
        write_image(tmp_path / "images" / f"{number}.png", np.zeros((20, 30, 3), np.uint8))
    crop_images(tmp_path / "images", tmp_path / "crops", (0.0, 0.0, 16.0, 16.0))
    assert info(tmp_path / "crops") == ["crops: 3 images, cut from 3 recorded images (sources.csv)"]
