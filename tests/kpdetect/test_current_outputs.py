"""A command into a folder that an earlier one has filled: what the earlier one wrote of other things goes, nothing else."""

import os
import shutil
import sys

import cv2
import numpy as np
import pytest

import kpdetect
from kpdetect.cli.main import main
from kpdetect.data import derived_files
from kpdetect.data.derived_files import DERIVED, recorded, rewritten
from kpdetect.data.export import write_shards
from kpdetect.data.folder import MIN_IMAGES, ImageCache, build_cache
from kpdetect.files.atomic import read_json, write_json, write_text
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import read_sources, write_sources
from kpdetect.files.temporary import PREFIX
from kpdetect.inference import image_job, labels
from kpdetect.inference.boxes import read_boxes
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.crop import crop_images
from kpdetect.inference.labelling import change_labels
from kpdetect.inference.labels import labels_copied, labels_follow
from kpdetect.inference.packing import pack_calibrated, pack_model
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.pairs import PairBatch
from kpdetect.toy import dataset
from kpdetect.toy.dataset import write_toy
from kpdetect.training.checkpoints import load_weights, save_weights
from tests.builders.detectors import dots, write_middle, write_pairs
from tests.builders.dots import write_video


class Killed(BaseException):
    """Ends a call as a kill does: nothing is written or removed any more."""


def die(*_args, **_kwargs):
    for module, name in ((derived_files, "_note"), (derived_files, "_remove"), (labels, "write_config")):
        DYING.setattr(module, name, lambda *_, **__: None)
    raise Killed


DYING = pytest.MonkeyPatch()


def killed(work):
    """Do `work`, which dies."""
    with pytest.raises(Killed):
        work()
    DYING.undo()


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["kpdetect", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code


def test_files_are_on_record_before_they_are_written(tmp_path):
    with rewritten(tmp_path, "pictures", ["a/1.png", "a/2.png"]):
        assert set(recorded(tmp_path)["pictures"].files) == {"a/1.png", "a/2.png"}
        write_text(tmp_path / "a" / "1.png", "1")
        write_text(tmp_path / "a" / "2.png", "22")
    assert recorded(tmp_path)["pictures"].files == {"a/1.png": 1, "a/2.png": 2}
    (tmp_path / "a" / "mine.png").write_text("mine")
    with rewritten(tmp_path, "pictures", ["a/2.png", "a/3.png"]) as unwritten:
        assert files(tmp_path) == {"a/2.png", "a/mine.png", DERIVED}
        unwritten.add("a/2.png")
        unwritten.add("a/3.png")
    assert files(tmp_path) == {"a/mine.png"}


@pytest.mark.slow
def test_pictures_of_a_killed_prediction_do_not_stay_beside_others(small_project, blob_folder, tmp_path, monkeypatch):
    """The first call dies before its predictions.json; nothing but the record of derived files knows its pictures."""
    write_video(blob_folder / "film.avi", 3)
    out, clip = tmp_path / "found", tmp_path / "found" / "videos" / "film"
    write_text(out / "overlays" / "mine.png", "mine")
    write_text(out / "yolo" / "labels" / "mine.txt", "mine")
    arguments = small_project, [str(blob_folder)], out
    predict_inputs(*arguments, PredictConfig(overlays=-1, formats=("yolo",)), device="cpu")
    for folder in (out, clip):
        (folder / "predictions.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Predictions, "write", die)
        killed(lambda: predict_inputs(*arguments, PredictConfig(overlays=5), device="cpu"))
    assert "overlays/023.png" in files(out)
    predict_inputs(*arguments, PredictConfig(overlays=2), device="cpu")
    assert {name for name in files(out) if name.startswith("overlays")} == {f"overlays/{n}.png" for n in ("mine", "000", "023")}
    assert {name for name in files(out) if name.startswith("yolo")} == {"yolo/labels/mine.txt"}
    predict_inputs(*arguments, PredictConfig(overlays=0), device="cpu")
    assert files(clip) == {"predictions.csv", "predictions.json"}
    assert {name for name in files(out) if name.startswith("overlays")} == {"overlays/mine.png"}


@pytest.mark.slow
def test_a_killed_prediction_leaves_none_that_passes_for_an_earlier_one(small_project, blob_folder, tmp_path, monkeypatch):
    out = tmp_path / "found"
    arguments = small_project, [str(blob_folder)], out
    predict_inputs(*arguments, PredictConfig(overlays=-1), device="cpu")
    whole = {path: content for path, content in contents(out).items() if path.suffix == ".png"}
    with monkeypatch.context() as patch:
        patch.setattr(image_job, "write_predictions", die)
        killed(lambda: predict_inputs(*arguments, PredictConfig(overlays=2, max_side=32), device="cpu"))
    predict_inputs(*arguments, PredictConfig(overlays=-1), device="cpu")
    assert {path: content for path, content in contents(out).items() if path.suffix == ".png"} == whole


@pytest.mark.slow
def test_predictions_stay_when_no_new_image_can_be_read(small_project, blob_folder, tmp_path):
    out = tmp_path / "found"
    predict_inputs(small_project, [str(blob_folder)], out, device="cpu")
    before = contents(out)
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(kpdetect.errors.InputError, match="none of 1 images"):
        predict_inputs(small_project, [str(tmp_path / "broken.png")], out, device="cpu")
    assert contents(out) == before


def test_crops_of_images_that_are_no_more_go(blob_folder, tmp_path):
    out = tmp_path / "crops"
    crop_images(blob_folder, out, (3.0, 4.0, 20.0, 16.0))
    first = contents(out)
    crop_images(blob_folder, out, (3.0, 4.0, 20.0, 16.0))
    assert contents(out) == first
    (blob_folder / "005.png").unlink()
    (blob_folder / "007.png").write_text("no picture")
    assert list(crop_images(blob_folder, out, (3.0, 4.0, 20.0, 16.0))) == ["007.png"]
    names = {f"{number:03d}.png" for number in range(24) if number not in (5, 7)}
    assert files(out) == names | {"sources.csv", "crops.json"}
    assert {name for name, _ in read_sources(out)} == names
    assert len(kpdetect.files.listing.list_files(tmp_path, frozenset({".png"}))[0]) == 23 + 22  # crops are listed


@pytest.mark.slow
def test_a_packed_model_holds_nothing_of_an_earlier_one(tmp_path):
    project, pairs, out = tmp_path / "project", tmp_path / "pairs", tmp_path / "packed"
    write_middle(project, pairs)
    write_sources(project / "detector", [("own.png", "0" * 16)])
    write_sources(pairs, [("face.png", "1" * 16)])
    (project / "detector" / "README.md").write_text("A card.")
    pack_calibrated(project, pairs, out, "cpu")
    assert {"reliability.png", "README.md"} < files(out)
    assert read_sources(out) == [("own.png", "0" * 16), ("face.png", "1" * 16)]
    (out / "mine.txt").write_text("mine")
    (project / "detector" / "README.md").unlink()
    pack_model(project, out)
    assert files(out) == {"detector.safetensors", "sources.csv", "mine.txt", DERIVED}
    assert read_sources(out) == [("own.png", "0" * 16)]
    first = contents(out)
    pack_model(project, out)
    pack_model(out, out)
    assert contents(out) == first


def test_converted_pairs_keep_no_record_of_other_images(tmp_path, monkeypatch):
    write_pairs(tmp_path / "pairs", dots(14))
    write_sources(tmp_path / "pairs", [("face.png", "1" * 16)])
    write_pairs(tmp_path / "others", dots(12, seed=1))
    for pairs in ("pairs", "others"):
        run(monkeypatch, "convert", tmp_path / pairs, "--out", tmp_path / "coco", "--format", "coco")
        assert (tmp_path / "coco" / "sources.csv").exists() is (pairs == "pairs")


@pytest.mark.parametrize("finished", [0, 2])
def test_a_toy_set_has_no_pictures_of_a_killed_larger_one(tmp_path, monkeypatch, finished):
    out = tmp_path / "toy"
    if finished:
        write_toy(out, finished, size=16)
    with monkeypatch.context() as patch:
        patch.setattr(dataset, "_write_keypoints", die)
        killed(lambda: write_toy(out, 6, size=16))
    assert len(list((out / "images").iterdir())) == 6
    write_toy(out, 2, size=16)
    pictures = {f"{kind}/{n:06d}.png" for kind in ("images", "masks") for n in (0, 1)}
    assert files(out) == pictures | {"keypoints.csv", "toy.json", "masks/.kpdetect-output"}


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_labels_are_those_of_the_weights_whenever_a_training_dies(small_project, monkeypatch, when, capsys):
    weights = small_project / "detector" / "model.safetensors"
    change_labels(small_project, names=["0=tip"])
    (weights.parent / "checkpoint.pt").touch()
    old = file_hash(weights)

    def train():
        with labels_follow(weights):
            save_again(weights, step=7)
            die()

    with monkeypatch.context() as patch:
        if when == "before":
            patch.setattr(os, "replace", lambda source, target: die() if target == weights else os.rename(source, target))
        killed(train)
    assert (file_hash(weights) == old) is (when == "before")
    assert kpdetect.load(small_project).labels.names == {0: "tip"}
    assert "other weights" not in capsys.readouterr().err
    with labels_follow(weights):
        save_again(weights, step=8)
    assert kpdetect.load(small_project).labels.weights == file_hash(weights)


def test_labels_of_a_teacher_are_there_as_soon_as_the_pupil_is(small_project, tmp_path):
    teacher, pupil = small_project / "detector" / "model.safetensors", tmp_path / "pupil" / "model.safetensors"
    change_labels(small_project, names=["0=tip"])

    def train():
        with labels_copied(teacher, pupil):
            shutil.copytree(teacher.parent, pupil.parent, ignore=lambda *_: ["model.safetensors", "keypoints.yaml"])
            tensors, description = load_weights(teacher, "detector")
            told = {name: value for name, value in description.items() if name not in ("kind", "version")}
            save_weights(pupil, "detector", tensors, told | {"step": 1})
            die()

    killed(train)
    found = kpdetect.load(pupil).labels
    assert (found.names, found.are_of(file_hash(pupil))) == ({0: "tip"}, True)


def save_again(weights, step):
    tensors, description = load_weights(weights, "detector")
    told = {name: value for name, value in description.items() if name not in ("kind", "version")}
    save_weights(weights, "detector", tensors, told | {"step": step})


def test_an_image_cache_is_never_changed_in_place(blob_folder, tmp_path):
    assert MIN_IMAGES <= 24
    first = build_cache(blob_folder, tmp_path / "run", 16, "centre", set())
    before = (tmp_path / "run" / "images.h5").read_bytes()
    for path in blob_folder.iterdir():
        os.utime(path, ns=(1, 1))
    again = build_cache(blob_folder, tmp_path / "run", 16, "centre", set())
    assert (tmp_path / "run" / "images.h5").read_bytes() == before
    assert again.key == first.key
    stamp = ImageCache(tmp_path / "run" / "images.h5").stamp
    assert stamp != first.stamp
    for path in blob_folder.iterdir():
        os.utime(path, ns=(2, 2))
    assert build_cache(blob_folder, tmp_path / "run", 16, "centre", set()).key == first.key
    assert ImageCache(tmp_path / "run" / "images.h5").stamp != stamp


def test_what_a_killed_look_at_a_folder_leaves_has_a_temporary_name(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "unlink", die)
        killed(lambda: make_folder(tmp_path / "out"))
    (left,) = files(tmp_path / "out")
    assert left.startswith(PREFIX)  # `sweep` removes it once its process is gone


@pytest.mark.slow
def test_commands_that_are_repeated_write_the_same_bytes(small_project, blob_folder, tmp_path, monkeypatch):
    found, out = tmp_path / "found", tmp_path / "out"
    predict_inputs(small_project, [str(blob_folder)], found, device="cpu")
    commands = [
        ("boxes", found, "--margin", "0.5", "--out", out / "boxes.csv"),
        ("crop", blob_folder, "--box", "3,4,20,16", "--out", out / "crops"),
        ("pack", small_project, "--out", out / "packed"),
        ("toy", "--count", "2", "--size", "16", "--out", out / "toy"),
        ("pseudo-label", small_project, found, blob_folder, "--size", "32", "--out", out / "pairs"),
        ("convert", out / "pairs", "--format", "webdataset", "--out", out / "tars"),
        ("export", small_project, "--torch", out / "graph.pt2"),
        ("label", small_project, "--images", blob_folder, "--sheet", out / "sheet.png"),
    ]
    for words in commands:
        run(monkeypatch, *words)
    first = contents(out)
    for words in commands:
        run(monkeypatch, *words)
    assert {path.name for path, content in contents(out).items() if first.get(path) != content} == set()
    assert contents(out).keys() == first.keys()


@pytest.mark.slow
def test_boxes_and_sheet_are_those_of_the_last_call(small_project, blob_folder, tmp_path, monkeypatch, capsys):
    found, out = tmp_path / "found", tmp_path / "boxes.csv"
    predict_inputs(small_project, [str(blob_folder)], found, device="cpu")
    run(monkeypatch, "boxes", found, "--margin", "0.5", "--out", out)
    for path in sorted(blob_folder.iterdir())[3:]:
        path.unlink()
    predict_inputs(small_project, [str(blob_folder)], found, device="cpu")
    run(monkeypatch, "boxes", found, "--margin", "0.5", "--out", out)
    assert set(read_boxes(out, ["000.png", "001.png", "002.png"])) == {"000.png", "001.png", "002.png"}
    run(monkeypatch, "label", small_project, "--images", blob_folder)
    picture = small_project / "detector" / "keypoints.png"
    size = cv2.imread(str(picture)).shape
    run(monkeypatch, "label", small_project, "--name", "0=tip")
    assert f"{picture} still shows the earlier labels; give --images" in capsys.readouterr().err
    (blob_folder / "002.png").unlink()
    run(monkeypatch, "label", small_project, "--name", "0=top", "--images", blob_folder)
    assert "shows the earlier" not in capsys.readouterr().err
    assert cv2.imread(str(picture)).shape != size
    assert np.isfinite(size).all()


@pytest.mark.slow
def test_files_that_an_earlier_version_kept_no_record_of_go_too(small_project, blob_folder, tmp_path):
    """Version 0.1.0 wrote no derived.json and named no engine; the names follow from its predictions.json."""
    out = tmp_path / "found"
    arguments = small_project, [str(blob_folder)], out
    predict_inputs(*arguments, PredictConfig(overlays=-1, formats=("yolo", "coco")), device="cpu")
    (out / DERIVED).unlink()
    write_json(
        out / "predictions.json", {key: value for key, value in read_json(out / "predictions.json").items() if key != "engine"}
    )
    write_text(out / "yolo" / "labels" / "mine.txt", "mine")
    predict_inputs(*arguments, PredictConfig(overlays=0), device="cpu")
    assert files(out) == {"predictions.csv", "predictions.json", "yolo/labels/mine.txt"}


def test_fewer_pairs_than_there_are_is_said(small_project, blob_folder, tmp_path, monkeypatch, capsys):
    source = Counting()
    write_shards(source, tmp_path / "pairs", 8, codec="raw", shard_size=3)
    before = contents(tmp_path / "pairs")
    write_shards(source, tmp_path / "pairs", 5, codec="raw", shard_size=3)
    assert "the 8 pairs of the same kind in this folder are kept" in capsys.readouterr().err
    assert contents(tmp_path / "pairs") == before


class Counting:
    """Pairs of one pixel colour a number."""

    size, keypoints, provenance = (4, 6), 2, {"crop": "pad"}

    def batches(self, start, stop):
        images = np.full((stop - start, 4, 6, 3), start, np.uint8)
        yield PairBatch(
            images=images, keypoints=np.zeros((stop - start, 2, 2), np.float32), visible=np.ones((stop - start, 2), bool)
        )
