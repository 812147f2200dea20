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
from benchmarks.benchmarking.benchmark import benchmark
from generator.stream import PairStream
from kpdetect.cli.main import app
from kpdetect.errors import CheckpointError, InputError, OutputError
from kpdetect.inference.labelling import change_labels
from kpdetect.inference.packing import pack_model
from kpdetect.project.detector_training import _has_generator
from kpdetect.shipped import FOLDER, shipped_models
from kpdetect.training.checkpoints import find_weights, load_weights, read_description, save_weights
from kpdetect.training.runtime import resolve_runtime

LIMIT = 60 * 2**20
"""Bytes of all weights together."""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


@pytest.mark.parametrize("package", ["kpdetect", "generator", "benchmarks"])
def test_types_are_named_for_the_package(package: str) -> None:
    root = FOLDER.parent.parent
    assert (root / package / "py.typed").is_file()
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert "py.typed" in project["tool"]["setuptools"]["package-data"][package]


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
    with pytest.raises(InputError, match="comes with the package and stays .*`kpdetect pack faces-64 --out DIR`"):
        change_labels(Path("faces-64"), names=["0=nose"])
    with pytest.raises(InputError, match="give a folder for the results with `out`"):
        benchmark("toy", Path("faces-64"), tmp_path)
    assert not (FOLDER / "faces-64" / "results").exists()


def test_models_are_listed() -> None:
    shown = CliRunner().invoke(app, ["models"])
    assert shown.exit_code == 0
    assert "faces-64: " in shown.output
    assert "non-commercial" in shown.output


@pytest.mark.slow
def test_a_packed_model_is_half_the_size_and_finds_the_same(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    shutil.copytree(FOLDER / "faces-64", source)
    (source / "keypoints.yaml").write_text("names: {0: left}\n")
    files = pack_model(source, tmp_path / "packed")
    weights = ["detector.safetensors", "generator.safetensors"]
    assert [file.name for file in files] == [*weights, "LICENSE", "README.md", "generated.jpg"]
    assert (tmp_path / "packed" / "sources.csv").read_text() == (source / "sources.csv").read_text()
    assert (tmp_path / "packed" / "keypoints.yaml").is_file()
    for file in files[:2]:
        with safe_open(file, framework="np") as tensors:
            kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
        assert "F32" not in kinds
    image = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    np.testing.assert_allclose(kpdetect.load(tmp_path / "packed")(image)[0], kpdetect.load("faces-64")(image)[0], atol=0.05)
    runtime = resolve_runtime("cpu", "float32")
    drawn, packed = (next(PairStream(Path(each), runtime).batches(0, 4)) for each in ("faces-64", tmp_path / "packed"))
    assert np.abs(drawn.images.astype(int) - packed.images).mean() < 0.5
    np.testing.assert_allclose(packed.keypoints, drawn.keypoints, atol=1e-3)


def test_terms_and_card_are_packed_and_told(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["pack", "toy-32", "--out", str(tmp_path / "one")])
    assert shown.exit_code == 0
    for name in ("LICENSE", "README.md", "generated.jpg"):
        assert (tmp_path / "one" / name).read_bytes() == (FOLDER / "toy-32" / name).read_bytes()
        assert str(tmp_path / "one" / name) in shown.output.splitlines()
    pack_model(tmp_path / "one", tmp_path / "two")  # of a packed model too
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    (tmp_path / "one" / "README.md").write_text("No picture.")
    assert "generated.jpg" not in {file.name for file in pack_model(tmp_path / "one", tmp_path / "three")}


def test_another_readme_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Of something else.")
    with pytest.raises(
        OutputError, match=r"README.md: this file differs from .*toy-32.* and would be overwritten; give another folder"
    ):
        pack_model(Path("toy-32"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.slow
def test_another_model_is_not_mixed_with_the_one_there(small_project: Path, tmp_path: Path) -> None:
    out = tmp_path / "packed"
    pack_model(Path("toy-32"), out)
    (out / "keypoints.yaml").write_text("names: {0: left}\n")
    before = contents(out)
    with pytest.raises(OutputError, match=r"detector.safetensors: weights of another model \([0-9a-f]{16}\); expected none"):
        pack_model(small_project, out)
    (tmp_path / "drawer").mkdir()
    shutil.copy(out / "generator.safetensors", tmp_path / "drawer")
    with pytest.raises(OutputError, match=r"generator.safetensors: weights of another model"):
        pack_model(Path("faces-64"), tmp_path / "drawer")
    assert [path.name for path in (tmp_path / "drawer").iterdir()] == ["generator.safetensors"]
    assert contents(out) == before
    with pytest.raises(OutputError, match=r"model.safetensors: weights of another model"):  # it would be used
        pack_model(Path("toy-32"), small_project / "detector")


@pytest.mark.slow
def test_the_same_model_is_packed_again_and_its_other_half(tmp_path: Path) -> None:
    out = tmp_path / "packed"
    pack_model(FOLDER / "toy-32" / "detector.safetensors", out)
    (out / "keypoints.yaml").write_text("names: {0: left}\n")
    (out / "README.md").write_text("An earlier card.")
    pack_model(Path("toy-32"), out)
    assert (out / "README.md").read_bytes() == (FOLDER / "toy-32" / "README.md").read_bytes()
    whole = contents(out)
    assert {"generator.safetensors", "keypoints.yaml"} <= whole.keys()
    for model in (Path("toy-32"), out):  # into itself too
        pack_model(model, out)
        assert contents(out).keys() == whole.keys()
        assert contents(out)["LICENSE"] == whole["LICENSE"]


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


def test_a_stream_may_be_named_by_a_string_and_begins_at_0() -> None:
    stream = PairStream("toy-32", resolve_runtime("cpu", "float32"))
    with pytest.raises(InputError, match="pairs -1 to 3: pairs are numbered from 0"):
        stream.batches(-1, 3)
    assert [len(batch) for batch in stream.batches(0, 3)] == [3]


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
