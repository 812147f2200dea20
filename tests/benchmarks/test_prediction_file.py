"""predictions.h5: what is written is read, measured again without the model, and refused where it is of something else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from benchmarks.benchmarking.benchmark import benchmark
from benchmarks.benchmarking.inputs import BenchmarkInputs
from benchmarks.benchmarking.model_choice import cross_validate_model
from benchmarks.evaluation import predict as predicting
from benchmarks.evaluation.cross_validation import cross_validate
from benchmarks.evaluation.prediction_file import NAME, Entry, entry_keys, read_entry, write_entry
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import write_sources
from kpdetect.images.image_files import write_image
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.predictions import Predictions
from kpdetect.toy.dataset import write_toy
from kpdetect.training.checkpoints import find_weights
from tests.builders.predictions import entry


def same(one: Entry, other: Entry) -> bool:
    for name in ("keypoints_px", "confidence", "sizes"):
        np.testing.assert_array_equal(getattr(one.predictions, name), getattr(other.predictions, name))
    kept = ("data", "contents", "model", "environment")
    return one.predictions.images == other.predictions.images and all(getattr(one, k) == getattr(other, k) for k in kept)


def test_entries_are_kept_by_data_and_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / NAME
    first, second, third = entry(), entry("b" * 16), entry(data="wild/k4", seen=np.array([True, False]))
    for each in (first, second, third, replace(second, contents=["2" * 16, "3" * 16])):
        write_entry(path, each)
    assert entry_keys(path) == ["toy/" + "a" * 16, "toy/" + "b" * 16, "wild-k4/" + "a" * 16]
    assert same(read_entry(path, "toy", "aaaa"), first)
    assert read_entry(path, "toy", "b" * 16).contents == ["2" * 16, "3" * 16]
    read = read_entry(path, "wild/k4")
    assert same(read, third)
    assert read.seen is not None
    assert read.seen.tolist() == [True, False]
    assert read_entry(path, "toy", "a").seen is None
    assert [file.name for file in tmp_path.iterdir()] == [NAME]
    with pytest.raises(InputError, match=r"2 predictions for toy; the file holds toy/aaaa.*choose one with `checkpoint`"):
        read_entry(path, "toy")
    with pytest.raises(
        InputError, match=r"no predictions of checkpoint cc for toy; the file holds .*predict again with `model`"
    ):
        read_entry(path, "toy", "cc")


@pytest.mark.slow
def test_other_and_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with pytest.raises(InputError, match="no such file"):
        read_entry(path, "toy")
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match=r"file signature not found.*; delete it, then predict again"):
        read_entry(path, "toy")
    path.unlink()
    write_entry(path, entry())
    with h5py.File(path, "r+") as file:
        del file["toy/" + "a" * 16 + "/sizes"]
    with pytest.raises(FormatError, match="sizes"):
        read_entry(path, "toy")
    with h5py.File(path, "r+") as file:
        file["toy/" + "a" * 16]["sizes"] = np.zeros((3, 2), np.int64)
    with pytest.raises(FormatError, match=r"sizes: got int64 \[3, 2\], expected int64 \[2, 2\]"):
        read_entry(path, "toy")
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99
    with pytest.raises(FormatError, match=r"99.*delete it, then predict again"):
        write_entry(path, entry())


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    write_toy(tmp_path / "toy", 20, size=32, seed=1)
    return tmp_path / "toy"


def numbers(path: Path) -> list[float]:
    return [row["mean_of_ratios"] for row in json.loads(path.read_text())["rows"]]


@pytest.mark.slow
def test_evaluation_is_repeated_without_the_model(tmp_path: Path, toy: Path, small_project: Path) -> None:
    out, weights = tmp_path / "out", find_weights(small_project, "detector")
    write_sources(weights.parent, [("x.png", file_hash(toy / "images" / "000000.png"))])
    first = benchmark("toy", small_project, toy, out, baselines=False).path
    shutil.rmtree(small_project)
    again = benchmark("toy", None, toy, predictions=out / NAME, baselines=False).path
    assert again == first
    again = benchmark("toy", None, toy, tmp_path / "again", predictions=out / NAME, baselines=False).path
    assert numbers(again) == numbers(first)
    one, two = json.loads(first.read_text()), json.loads(again.read_text())
    assert one["model"] == two["model"]
    assert two["contamination"] == "clean; saw 1 of the fitting images"


@pytest.mark.slow
def test_prediction_is_skipped_only_while_nothing_changed(
    tmp_path: Path, toy: Path, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, real = [], predicting._predict
    monkeypatch.setattr(predicting, "code_commit", lambda: "c0ffee")
    monkeypatch.setattr(predicting, "environment", lambda: {"commit": "c0ffee"})
    monkeypatch.setattr(predicting, "_predict", lambda *given: calls.append(1) or real(*given))
    for _ in range(2):
        benchmark("toy", small_project, toy, tmp_path / "out", baselines=False)
    assert len(calls) == 1
    write_image(toy / "images" / "000001.png", np.zeros((32, 32, 3), np.uint8))
    benchmark("toy", small_project, toy, tmp_path / "out", baselines=False)
    assert len(calls) == 2
    monkeypatch.setattr(predicting, "code_commit", lambda: "c0ffee+")
    benchmark("toy", small_project, toy, tmp_path / "out", baselines=False)
    assert len(calls) == 3


def test_code_without_a_commit_is_the_same_only_with_equal_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"kpdetect": "0.1.0", "torch": "2.9", "timm": "1.0", "opencv-python": "4.12", "numpy": "2.3"}
    now = {"commit": "unknown", "packages": versions}
    monkeypatch.setattr(predicting, "code_commit", lambda: "unknown")
    monkeypatch.setattr(predicting, "environment", lambda: now)
    assert predicting._same_code({**now, "packages": {**versions, "pandas": "3"}})
    for name in versions:
        assert not predicting._same_code({**now, "packages": {**versions, name: "0.0.1"}})
    assert not predicting._same_code({"commit": "unknown"})
    assert not predicting._same_code({**now, "commit": "c0ffee"})
    now["packages"] = {name: version for name, version in versions.items() if name != "kpdetect"}
    assert not predicting._same_code(now)


@pytest.mark.slow
def test_predictions_of_other_images_or_checkpoints_are_refused(tmp_path: Path, toy: Path, small_project: Path) -> None:
    benchmark("toy", small_project, toy, tmp_path / "out", baselines=False)
    file, other = tmp_path / "out" / NAME, tmp_path / "other" / "detector" / "model.safetensors"
    shutil.copytree(small_project, tmp_path / "other")
    other.write_bytes(_renamed(other))
    with pytest.raises(InputError, match=rf"no predictions of checkpoint {file_hash(other)} for toy"):
        benchmark("toy", other, toy, tmp_path / "out", predictions=file, baselines=False)
    with pytest.raises(InputError, match="`checkpoint` selects a checkpoint in the file `predictions`"):
        benchmark("toy", other, toy, tmp_path / "out", predictions=file, checkpoint="aa", baselines=False)
    predict_folder(small_project, toy / "images", tmp_path / "found", device="cpu")
    benchmark("toy", small_project, toy, tmp_path / "out", predictions=tmp_path / "found", baselines=False)
    with pytest.raises(
        InputError, match="these predictions come from checkpoint .*, but .* is checkpoint .* run `kpdetect predict` again"
    ):
        benchmark("toy", other, toy, tmp_path / "out", predictions=tmp_path / "found", baselines=False)
    write_image(toy / "images" / "000004.png", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(InputError, match=r"000004.png of toy has changed, or its crop has, since it was predicted"):
        benchmark("toy", None, toy, tmp_path / "out", predictions=file, baselines=False)
    shutil.rmtree(toy)
    write_toy(toy, 30, size=32, seed=1)
    with pytest.raises(InputError, match=r"0000\d\d.png of toy has no predictions"):
        benchmark("toy", None, toy, tmp_path / "out", predictions=file, baselines=False)


@pytest.mark.slow
def test_contaminated_predictions_are_refused_without_the_model(tmp_path: Path, toy: Path, small_project: Path) -> None:
    weights = find_weights(small_project, "detector")
    write_sources(weights.parent, [("x.png", file_hash(toy / "images" / "000004.png"))])
    benchmark("toy", small_project, toy, tmp_path / "out", allow_contaminated=True, baselines=False)
    with pytest.raises(InputError, match="trained on 1 of the test images, the first is 000004.png"):
        benchmark("toy", None, toy, tmp_path / "again", predictions=tmp_path / "out" / NAME, baselines=False)


@pytest.mark.slow
def test_predictions_of_the_fitting_images_are_enough_to_cross_validate(tmp_path: Path, toy: Path) -> None:
    protocol, landmark_set = BenchmarkInputs(protocol="toy", data=toy).read()
    fit = landmark_set.fit
    near_px = landmark_set.landmarks_px[fit][:, :2].astype(np.float32)  # few, for regressions that are well conditioned
    found = Predictions(
        images=[landmark_set.images[index] for index in fit],
        keypoints_px=near_px,
        confidence=np.ones(near_px.shape[:2], np.float32),
        sizes=landmark_set.file_sizes[fit],
    )
    found.write(tmp_path / "found", {"model": "c0ffee00" * 2})
    path = cross_validate_model("toy", None, toy, predictions=tmp_path / "found").path
    assert path.parent == tmp_path / "found" / "results"
    expected = [row.mean_of_ratios for row in cross_validate(near_px, landmark_set, protocol, "near")]
    np.testing.assert_allclose(pd.read_csv(path)["mean_of_ratios"], expected, rtol=0.01)  # tables round to 0.001 px
    replace(found, images=["elsewhere.png", *found.images[1:]]).write(tmp_path / "found", {"model": "c0ffee00" * 2})
    with pytest.raises(InputError, match="predictions lack 1 images"):
        cross_validate_model("toy", None, toy, predictions=tmp_path / "found")


def _renamed(weights: Path) -> bytes:
    """The same weights in a file with another hash."""
    from safetensors import safe_open
    from safetensors.numpy import save

    with safe_open(weights, framework="numpy") as file:
        content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        described = json.loads(file.metadata()["kpdetect"]) | {"copied": True}
    return save(content, metadata={"kpdetect": json.dumps(described)})
