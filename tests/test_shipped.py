"""Models of the package by name, and models packed to give away."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

import kpdetect
from benchmarks.run import run_benchmark
from generator.stream import PairStream
from kpdetect.checkpoints import find_weights, load_weights, read_description, save_weights
from kpdetect.cli.main import app
from kpdetect.cli.train_detector import _has_generator
from kpdetect.errors import CheckpointError, InputError, OutputError
from kpdetect.inference.label import change_labels
from kpdetect.packing import pack_model
from kpdetect.runtime import resolve_runtime
from kpdetect.shipped import FOLDER, shipped_models

LIMIT = 60 * 2**20
"""Bytes of all weights together."""


def test_every_model_has_weights_card_terms_and_record() -> None:
    models = shipped_models()
    assert {"faces-64", "faces-128", "flies-64", "toy-32"} <= {model.name for model in models}
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == {model.name for model in models}
    for model in models:
        for name in ("README.md", "LICENSE", "sources.csv"):
            assert (model.folder / name).stat().st_size > 100, f"{model.name}/{name}"
        assert read_description(find_weights(Path(model.name), "generator"))["kind"] == "generator"
        assert find_weights(Path(model.name), "detector") == model.folder / "detector.safetensors"
        assert model.name in (model.folder / "README.md").read_text()
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < LIMIT


def test_weights_and_their_terms_are_named_for_the_package() -> None:
    project = tomllib.loads((FOLDER.parent.parent / "pyproject.toml").read_text())
    assert "kpdetect/models/*/LICENSE" in project["project"]["license-files"]
    assert "models/*/*" in project["tool"]["setuptools"]["package-data"]["kpdetect"]


def test_a_name_is_as_good_as_a_path_and_a_folder_of_that_name_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    by_name, _ = kpdetect.load("faces-64")(image)
    by_path, _ = kpdetect.load(FOLDER / "faces-64" / "detector.safetensors")(image)
    np.testing.assert_array_equal(by_name, by_path)
    assert by_name.shape == (10, 2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces-64").mkdir()
    with pytest.raises(CheckpointError, match="no trained detector here"):
        kpdetect.load("faces-64")
    with pytest.raises(CheckpointError, match="faces-65: no trained detector here.*kpdetect models"):
        kpdetect.load("faces-65")


def test_nothing_is_written_into_the_package(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"comes with the package; copy it with `kpdetect pack faces-64 --out DIR`"):
        change_labels(Path("faces-64"), names=["0=nose"])
    with pytest.raises(InputError, match="give a folder for the results with --out"):
        run_benchmark("toy", Path("faces-64"), tmp_path)
    assert not (FOLDER / "faces-64" / "results").exists()


def test_models_are_listed() -> None:
    shown = CliRunner().invoke(app, ["models"])
    assert shown.exit_code == 0
    assert "faces-64: " in shown.output
    assert "non-commercial" in shown.output


def test_a_packed_model_is_half_the_size_and_finds_the_same(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    shutil.copytree(FOLDER / "faces-64", source)
    (source / "keypoints.yaml").write_text("names: {0: left}\n")
    files = pack_model(source, tmp_path / "packed")
    assert [file.name for file in files] == ["detector.safetensors", "generator.safetensors"]
    assert (tmp_path / "packed" / "sources.csv").read_text() == (source / "sources.csv").read_text()
    assert (tmp_path / "packed" / "keypoints.yaml").is_file()
    for file in files:
        with safe_open(file, framework="np") as tensors:
            kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
        assert "F32" not in kinds
    image = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    np.testing.assert_allclose(kpdetect.load(tmp_path / "packed")(image)[0], kpdetect.load("faces-64")(image)[0], atol=0.05)
    runtime = resolve_runtime("cpu", "float32")
    drawn, packed = (next(PairStream(Path(each), runtime).batches(0, 4)) for each in ("faces-64", tmp_path / "packed"))
    assert np.abs(drawn.images.astype(int) - packed.images).mean() < 0.5
    np.testing.assert_allclose(packed.keypoints, drawn.keypoints, atol=1e-3)


def test_what_float16_cannot_hold_is_packed_as_it_is(small_project, tmp_path):
    tensors, description = load_weights(small_project / "detector" / "model.safetensors", "detector")
    large = next(name for name, tensor in tensors.items() if tensor.dtype == torch.float32)
    tensors[large] = torch.full_like(tensors[large], 1e6)
    told = {name: value for name, value in description.items() if name not in ("kind", "version")}
    save_weights(small_project / "detector" / "model.safetensors", "detector", tensors, told)
    pack_model(small_project, tmp_path / "packed")
    packed, _ = load_weights(tmp_path / "packed" / "detector.safetensors", "detector")
    assert torch.equal(packed[large], tensors[large])
    assert torch.float16 in {tensor.dtype for tensor in packed.values()}


@pytest.mark.parametrize("place", ["", "detector", "detector/model.safetensors"])
def test_a_detector_alone_is_packed(small_project, tmp_path, place):
    files = pack_model(small_project / place, tmp_path / "packed")
    assert [path.name for path in files] == ["detector.safetensors"]
    (tmp_path / "packed" / "generator.safetensors").touch()
    with pytest.raises(OutputError, match="belongs to another model"):
        pack_model(small_project / place, tmp_path / "packed")


def test_a_generator_is_told_from_a_folder_of_pairs(tmp_path):
    assert _has_generator(Path("flies-64"))
    assert _has_generator(find_weights(Path("flies-64"), "generator").parent)
    assert _has_generator(tmp_path / "missing.safetensors")  # so that weights are said to be missing
    assert not _has_generator(tmp_path)
