"""Starting new runs from weights: what is taken, refused and recorded; continuing does not read them again."""

import shutil

import pytest
import torch

from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.errors import CheckpointError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import SOURCES, merge_sources, write_sources
from kpdetect.training.checkpoints import load_checkpoint, load_weights, read_description
from kpdetect.training.initial_weights import InitialWeights
from tests.builders.detectors import CONFIG as DETECTOR
from tests.builders.detectors import dots, write_pairs
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.runtimes import CPU as RUNTIME
from tests.builders.trainings import fit_detector, fit_generator

pytestmark = pytest.mark.slow


def test_records_of_real_images_are_merged_without_doubles(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write_sources(one, [("a.jpg", "1"), ("b.jpg", "2")])
    write_sources(two, [("b.jpg", "2"), ("b.jpg", "3")])
    merge_sources(one, two, tmp_path / "nothing")
    assert (one / SOURCES).read_text().split() == ["image,sha256", "a.jpg,1", "b.jpg,2", "b.jpg,3"]


def test_a_generator_starts_from_generator_and_discriminator(blob_folder, tmp_path, monkeypatch):
    first = fit_generator(blob_folder, tmp_path / "first", CONFIG.model_copy(update={"steps": 2}), CPU)
    began = {}
    step = GeneratorTrainer.train_step

    def watched(trainer):
        for name in ("generator", "discriminator"):
            state = trainer.stateful()[name].state_dict()
            began.setdefault(name, {key: value.clone() for key, value in state.items()})
        return step(trainer)

    monkeypatch.setattr(GeneratorTrainer, "train_step", watched)
    other = apply_overrides(CONFIG, ["steps=2", "optimiser.r1_weight=0.5", "seed=9"])
    second = fit_generator(blob_folder, tmp_path / "second", other, CPU, initial=tmp_path / "first")
    weights, checkpoint = (
        load_weights(first, "generator")[0],
        load_checkpoint(tmp_path / "first" / "checkpoint.pt", "generator"),
    )
    assert all(torch.equal(began["generator"][name], weights[name]) for name in weights)
    assert all(torch.equal(value, checkpoint["discriminator"][name]) for name, value in began["discriminator"].items())
    told = read_description(second)["began_with"]
    assert told["hash"] == file_hash(first)
    assert told["images_seen"] == 8


def test_continuing_needs_the_old_weights_no_more(blob_folder, tmp_path):
    fit_generator(blob_folder, tmp_path / "first", CONFIG.model_copy(update={"steps": 1}), CPU)
    begin = {"initial": tmp_path / "first"}
    fit_generator(blob_folder, tmp_path / "second", CONFIG.model_copy(update={"steps": 1}), CPU, **begin)
    shutil.rmtree(tmp_path / "first")
    out = fit_generator(blob_folder, tmp_path / "second", CONFIG.model_copy(update={"steps": 2}), CPU, **begin)
    assert read_description(out)["step"] == 2
    assert read_description(out)["began_with"]["images_seen"] == 4


def test_weights_of_another_shape_are_refused_by_name(blob_folder, tmp_path):
    first = fit_generator(blob_folder, tmp_path / "first", CONFIG.model_copy(update={"steps": 1}), CPU)
    wider = apply_overrides(CONFIG, ["model.mlp_width=12"])
    with pytest.raises(CheckpointError, match=r"parts\.appearance\.0\.bias is \[\d+\] in the file and \[12\] in the config"):
        fit_generator(blob_folder, tmp_path / "second", wider, CPU, initial=first)


def test_a_detector_starts_from_a_detector_and_inherits_its_record(tmp_path):
    write_pairs(tmp_path / "pairs", dots(24))
    write_sources(tmp_path / "pairs", [("new.jpg", "1")])
    first = fit_detector(tmp_path / "pairs", tmp_path / "first", DETECTOR.model_copy(update={"steps": 1}), RUNTIME)
    write_sources(tmp_path / "first", [("old.jpg", "2")])
    found = InitialWeights.read(first, "detector")
    none = DETECTOR.model_copy(update={"steps": 1, "rate": 1e-12, "weight_decay": 0.0})
    second = fit_detector(tmp_path / "pairs", tmp_path / "second", none, RUNTIME, initial=first)
    after = load_weights(second, "detector")[0]
    name = "head.heatmaps.weight"
    torch.testing.assert_close(after[name], found.tensors[name], rtol=0, atol=1e-9)
    assert {"old.jpg,2", "new.jpg,1"} <= set((tmp_path / "second" / SOURCES).read_text().split())


def test_a_run_that_was_killed_at_once_and_begun_without_weights_says_so(blob_folder, tmp_path, monkeypatch):
    first = fit_generator(blob_folder, tmp_path / "first", CONFIG.model_copy(update={"steps": 1}), CPU)
    one = CONFIG.model_copy(update={"steps": 1})
    with monkeypatch.context() as patch:
        patch.setattr(GeneratorTrainer, "run_until", lambda *arguments: None)  # killed before the first checkpoint
        fit_generator(blob_folder, tmp_path / "second", one, CPU, initial=first)
    second = fit_generator(blob_folder, tmp_path / "second", one, CPU)
    assert read_description(second)["began_with"] is None


def test_the_record_of_old_weights_survives_a_lost_image_cache(blob_folder, tmp_path):
    begin = {"initial": tmp_path / "first"}
    fit_generator(blob_folder, tmp_path / "first", CONFIG.model_copy(update={"steps": 1}), CPU)
    write_sources(tmp_path / "first", [("elsewhere.jpg", "0" * 16)])
    fit_generator(blob_folder, tmp_path / "second", CONFIG.model_copy(update={"steps": 1}), CPU, **begin)
    (tmp_path / "second" / "images.h5").unlink()  # what the message about a damaged one says
    fit_generator(blob_folder, tmp_path / "second", CONFIG.model_copy(update={"steps": 2}), CPU, **begin)
    record = (tmp_path / "second" / SOURCES).read_text()
    assert "elsewhere.jpg" in record
    assert "000.png" in record
