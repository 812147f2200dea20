"""Confidence measured on pairs and decoys, and measured anew for weights that are there already."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import kpdetect
from kpdetect.checkpoints import load_weights, save_weights
from kpdetect.cli.main import app
from kpdetect.detector.calibration import Calibration
from kpdetect.detector.held_out import TILES, decoys
from kpdetect.errors import InputError
from kpdetect.images import write_image
from kpdetect.inference.label import change_labels
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.recalibrate import recalibrate
from kpdetect.pairs import PairBatch
from tests.test_detector import dots, write_pairs


@pytest.fixture
def pairs(tmp_path):
    """120 pairs of three keypoints, of which 3 are held out."""
    two = dots(120)
    third = -two.keypoints[:, :1]
    keypoints, visible = np.concatenate([two.keypoints, third], axis=1), np.ones((120, 3), bool)
    return write_pairs(tmp_path / "pairs", PairBatch(images=two.images, keypoints=keypoints, visible=visible), 120)


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


def test_what_weights_say_of_themselves_is_measured_anew(small_project, pairs):
    change_labels(small_project, names=["0=nose"])
    tensors, before = load_weights(small_project / "detector" / "model.safetensors", "detector")
    assert "keypoint_layout" not in before
    weights, count = recalibrate(small_project, pairs, "cpu")
    assert count == 3
    same, after = load_weights(weights, "detector")
    assert all(torch.equal(tensors[name], same[name]) for name in tensors)
    assert set(after) - set(before) == {"keypoint_layout", "calibration"}
    assert {name: after[name] for name in before} == before
    assert (weights.parent / "reliability.png").exists()
    assert np.array(after["keypoint_layout"]["places"]).shape == (3, 2)
    predictor = kpdetect.load(small_project, device="cpu")
    assert predictor.calibration.description() == after["calibration"]
    assert predictor.labels.weights == predictor.hash  # still the labels of these weights
    once = weights.read_bytes()
    recalibrate(small_project, pairs, "cpu")
    assert weights.read_bytes() == once


def test_labels_of_other_weights_stay_so(small_project, pairs):
    change_labels(small_project, names=["0=nose"])
    path = small_project / "detector" / "keypoints.yaml"
    path.write_text(path.read_text().replace("weights: ", "weights: 00"))
    told = path.read_text()
    recalibrate(small_project, pairs, "cpu")
    assert path.read_text() == told


def test_models_of_the_package_and_other_pairs_are_refused(small_project, pairs, tmp_path):
    with pytest.raises(InputError, match="comes with the package"):
        recalibrate(Path("toy-32"), pairs, "cpu")
    two = write_pairs(tmp_path / "two", dots(20))
    before = (small_project / "detector" / "model.safetensors").read_bytes()
    ended = CliRunner().invoke(app, ["calibrate", str(small_project), str(two), "--device", "cpu"])
    assert isinstance(ended.exception, InputError)
    assert "pairs of 2 keypoints; the detector has 3" in str(ended.exception)
    assert (small_project / "detector" / "model.safetensors").read_bytes() == before
    ended = CliRunner().invoke(app, ["calibrate", str(small_project), str(pairs), "--device", "cpu"])
    assert ended.output.startswith("calibrated on 3 pairs: ")


def test_images_in_which_nothing_is_found_are_counted(tmp_path, small_project):
    found = Predictions(
        images=["a.png", "b.png", "c.png"],
        keypoints_px=np.zeros((3, 2, 2), np.float32),
        confidence=np.array([[0.9, 0.1], [0.3, 0.1], [0.0, 0.49]], np.float32),
        sizes=np.full((3, 2), 32),
    )
    assert found.doubtful == 2
    doubted = Calibration(mass=(0.0, 1.0), probability=(0.0, 0.0)).description()
    write_image(tmp_path / "images" / "one.png", np.zeros((32, 32, 3), np.uint8))
    weights = small_project / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    save_weights(weights, "detector", tensors, {**description, "calibration": doubted})
    given = ["predict", str(small_project), str(tmp_path / "images"), "--out", str(tmp_path / "found"), "--device", "cpu"]
    ended = CliRunner().invoke(app, given)
    assert "warning: 1 of 1 have a mean confidence below 0.25" in ended.stderr
