"""Confidence measured on pairs and decoys, and measured anew for weights that are there already."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import kpdetect
from kpdetect.cli.main import app
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.batches import TrainingPairs
from kpdetect.detector.calibration import Calibration
from kpdetect.detector.held_out import TILES, calibrate, decoys
from kpdetect.errors import InputError, OutputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import read_sources, write_sources
from kpdetect.images.image_files import write_image
from kpdetect.inference.labelling import change_labels
from kpdetect.inference.packing import pack_calibrated, pack_model
from kpdetect.inference.recalibration import LEAST_PAIRS, _held_out
from kpdetect.shipped import FOLDER
from kpdetect.training.checkpoints import load_weights, read_description, read_detector_description, save_weights
from tests.builders.detectors import dots, near_the_middle, write_pairs
from tests.builders.runtimes import CPU


@pytest.fixture
def project(small_project):
    """A project whose images are shown like those of `pairs`."""
    weights = small_project / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    save_weights(weights, "detector", tensors, {**description, "crop": "pad"})
    return small_project


@pytest.fixture
def pairs(tmp_path):
    """Pairs of three keypoints near the middle, where an untrained detector finds them."""
    return write_pairs(tmp_path / "pairs", near_the_middle(LEAST_PAIRS * 50), 500)


def tiles(image):
    height, width = (side // TILES for side in image.shape[1:])
    return [
        image[:, y * height : (y + 1) * height, x * width : (x + 1) * width].numpy().tobytes()
        for y in range(TILES)
        for x in range(TILES)
    ]


def test_decoys_have_the_same_tiles_none_at_its_place():
    images = torch.rand(3, 3, 43, 34, generator=torch.Generator().manual_seed(0))
    mixed = decoys(images)
    for image, other in zip(images, mixed, strict=True):
        assert sorted(tiles(image)) == sorted(tiles(other))
        assert all(one != two for one, two in zip(tiles(image), tiles(other), strict=True))
    assert torch.equal(mixed[:, :, 40:], images[:, :, 40:])  # what does not divide
    assert torch.equal(mixed[:, :, :, 32:], images[:, :, :, 32:])
    assert torch.equal(mixed, decoys(images))


class Centre(nn.Module):
    """Keypoints in the middle, surer the brighter the middle is; one is never in the frame."""

    def forward(self, images):
        axis = torch.linspace(-1, 1, images.shape[-1])
        middle = -20 * (axis[:, None] ** 2 + axis**2)
        light = images[:, :1, 14:18, 14:18].mean(dim=(2, 3), keepdim=True)
        return (middle * (1 + light))[:, :, :, :].expand(-1, 3, -1, -1)


class Bright:
    """Seven held-out pairs with a bright middle; a third keypoint outside of the frame."""

    def held_out_varied(self):
        images = -torch.ones(7, 3, 32, 32)
        images[:, :, 12:20, 12:20] = 1
        keypoints = torch.zeros(7, 3, 2)
        keypoints[:, 2] = 1.5
        return TrainingPairs(images=images, keypoints=keypoints, visible=torch.ones(7, 3, dtype=torch.bool))


def test_pairs_and_decoys_count_alike_and_only_what_is_in_the_frame(tmp_path):
    calibration = calibrate(Centre(), Bright(), CPU, tmp_path)
    at = dict(zip(calibration.mass, calibration.probability, strict=True))
    assert (min(at.values()), max(at.values())) == (0, 1)  # dark middles are decoys, bright ones are found
    assert calibration.usual == 1
    assert (tmp_path / "reliability.png").exists()


def test_nothing_to_tell_apart_is_one_half(tmp_path):
    class Same(Centre):
        def forward(self, images):
            return super().forward(torch.ones_like(images))

    calibration = calibrate(Same(), Bright(), CPU, tmp_path)
    assert calibration.probability == (0.5, 0.5)


@pytest.mark.slow
def test_a_copy_knows_what_was_measured(project, pairs, tmp_path):
    change_labels(project, names=["0=nose"])
    write_sources(pairs, [("face.png", "0123456789abcdef")])
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    measured = pack_calibrated(project, pairs, tmp_path / "copy", "cpu")
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before
    description = read_description(tmp_path / "copy" / "detector.safetensors")
    assert measured.items() <= description.items()
    assert np.array(description["keypoint_layout"]["places"]).shape == (3, 2)
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {
        "detector.safetensors", "keypoints.yaml", "sources.csv", "reliability.png", "derived.json",
    }  # fmt: skip
    assert read_sources(tmp_path / "copy") == [("face.png", "0123456789abcdef")]
    copy = kpdetect.load(tmp_path / "copy", device="cpu")
    assert copy.calibration.description() == measured["calibration"]
    assert (copy.labels.names, copy.labels.weights) == ({0: "nose"}, copy.hash)  # still the labels of these weights
    once = (tmp_path / "copy" / "detector.safetensors").read_bytes()
    pack_calibrated(project, pairs, tmp_path / "again", "cpu")
    assert (tmp_path / "again" / "detector.safetensors").read_bytes() == once


@pytest.mark.slow
def test_a_copy_keeps_terms_and_card_and_is_not_mixed_with_another_model(project, pairs, tmp_path):
    for name in ("LICENSE", "README.md"):
        (project / "detector" / name).write_text(f"{name} of this model")
    pack_calibrated(project, pairs, tmp_path / "copy", "cpu")
    assert (tmp_path / "copy" / "LICENSE").read_text() == "LICENSE of this model"
    assert (tmp_path / "copy" / "README.md").read_text() == "README.md of this model"
    pack_calibrated(project, pairs, tmp_path / "copy", "cpu")  # measured again, in its place
    pack_model(FOLDER / "toy-32", tmp_path / "other")
    before = sorted((tmp_path / "other").iterdir())
    with pytest.raises(OutputError, match="weights of another model"):
        pack_calibrated(project, pairs, tmp_path / "other", "cpu")
    assert sorted((tmp_path / "other").iterdir()) == before


@pytest.mark.slow
def test_a_refined_detector_keeps_the_layout_of_real_images(project, pairs, tmp_path):
    weights = project / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    refined = {"photometric": 0.0, "occlusion": 0.0, "seed": 4}
    layout = {"places": [[0.0, 0.0]] * 3, "distances": [[0.0] * 3] * 3}
    told = {**description, "refined": refined, "held_out": 0.04, "keypoint_layout": layout}
    save_weights(weights, "detector", tensors, told)
    batches = _held_out(read_detector_description(weights), ShardFolder(pairs))
    assert (batches.every, batches.seed, batches.augmenter.config.scale) == (25, 4, AugmentConfig().scale)
    assert batches.augmenter.config.occlusion == 0
    assert "keypoint_layout" not in pack_calibrated(project, pairs, tmp_path / "copy", "cpu")


@pytest.mark.slow
def test_labels_of_other_weights_stay_so(project, pairs, tmp_path):
    change_labels(project, names=["0=nose"])
    path = project / "detector" / "keypoints.yaml"
    path.write_text(path.read_text().replace("weights: ", "weights: 00"))
    pack_calibrated(project, pairs, tmp_path / "copy", "cpu")
    assert (tmp_path / "copy" / "keypoints.yaml").read_text() == path.read_text()


@pytest.mark.slow
def test_pairs_that_do_not_fit_are_refused(project, pairs, tmp_path):
    out = tmp_path / "copy"
    two = write_pairs(tmp_path / "two", dots(20))
    with pytest.raises(InputError, match="got pairs of 2 keypoints, expected 3"):
        pack_calibrated(project, two, out, "cpu")
    with pytest.raises(InputError, match="3 of 120 pairs are held out, expected at least 50; give 2,500 pairs or more"):
        pack_calibrated(project, write_pairs(tmp_path / "few", near_the_middle(120), 120), out, "cpu")
    far = near_the_middle(LEAST_PAIRS * 50)
    far.keypoints[:] += 0.8
    with pytest.raises(InputError, match="the detector finds 0 % of the keypoints of these pairs"):
        pack_calibrated(project, write_pairs(tmp_path / "far", far, 2_500), out, "cpu")
    weights = project / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    save_weights(weights, "detector", tensors, {**description, "crop": "centre"})
    with pytest.raises(InputError, match="got pairs with the crop policy pad, expected centre"):
        pack_calibrated(project, pairs, out, "cpu")
    assert not out.exists()
    for taken in (project, project / "detector", project / "refined", pairs, pairs / "deeper"):
        with pytest.raises(OutputError, match="give another folder"):
            pack_calibrated(project, pairs, taken, "cpu")


@pytest.mark.slow
def test_the_command_says_what_was_found(project, pairs, tmp_path):
    ended = CliRunner().invoke(app, ["calibrate", str(project), str(pairs), "--out", str(tmp_path / "copy")])
    assert ended.output.startswith("found: 100.0 % of the keypoints of held-out pairs; mean confidence on augmented pairs: ")
    assert "warning" not in ended.output


@pytest.mark.slow
def test_pairs_of_which_little_is_found_are_warned_of(project, tmp_path):
    some = near_the_middle(LEAST_PAIRS * 50)
    some.keypoints[:, 1:] += 0.8  # one of three is found
    pairs = write_pairs(tmp_path / "some", some, 2_500)
    ended = CliRunner().invoke(app, ["calibrate", str(project), str(pairs), "--out", str(tmp_path / "copy")])
    assert ended.exit_code == 0
    assert ended.stderr.startswith(f"warning: {pairs}: the detector finds only 33 % of the keypoints, so")
    assert ended.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("usual", "told"), [(0.9, True), (0.6, False), (None, False)])
def test_images_in_which_a_model_is_unsure_are_counted(tmp_path, project, usual, told):
    write_image(tmp_path / "images" / "one.png", np.zeros((32, 32, 3), np.uint8))
    weights = project / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    calibration = Calibration(mass=(0.0, 1.0), probability=(0.4, 0.4), usual=usual).description()
    save_weights(weights, "detector", tensors, {**description, "calibration": calibration})
    given = ["predict", str(project), str(tmp_path / "images"), "--out", str(tmp_path / "found"), "--device", "cpu"]
    for _ in range(2):  # the second time nothing is predicted
        ended = CliRunner().invoke(app, given)
        assert ("warning: in 1 of 1 images or frames the confidence is less than half of the usual one" in ended.stderr) == told
    record = json.loads((tmp_path / "found" / "predictions.json").read_text())
    assert record["files"] == {"one.png": file_hash(tmp_path / "images" / "one.png")}
