"""Exported graphs: the same answers for any number of images, in somebody else's runtime; the script in the documentation."""

import json
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from kpdetect.cli.main import app
from kpdetect.detector.network import Detector, HeatmapHead
from kpdetect.errors import InputError
from kpdetect.images.image_files import write_image
from kpdetect.inference.export import check_parity, export_onnx, export_torch
from kpdetect.inference.labels import Labels
from kpdetect.inference.onnx_graph import KeypointGraph
from kpdetect.inference.predictor import Predictor
from tests.builders.descriptions import detector_description
from tests.builders.dots import dots, perfect
from tests.builders.runtimes import CPU

DOCUMENT = Path(__file__).parents[2] / "docs" / "howto" / "export.md"


class Edges(nn.Module):
    """A backbone of one random convolution."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.convolution = nn.Conv2d(3, 8, 5, stride=4, padding=2)

    def forward(self, images):
        return [self.convolution(images)]


def learned(side, input_size):
    """A detector of five keypoints with a real head; `side` is the square's, `input_size` the network's."""
    torch.manual_seed(0)
    head = HeatmapHead(8, 8, 1, 5)
    nn.init.normal_(head.heatmaps.weight, std=60)
    calibration = {"mass": [0.1, 0.4, 0.9], "probability": [0.05, 0.6, 0.95]}
    description = detector_description(keypoints=5, pair_size=[side, side], crop="pad", calibration=calibration)
    return Predictor(Detector(Edges(), head, input_size), description, "ab" * 8, CPU, Labels(names={1: "nose"}))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function that exports a detector of `learned` once, as the only file of a folder."""

    @cache
    def once(export, side, input_size):
        if export is export_onnx:
            pytest.importorskip("onnxruntime")
        path = tmp_path_factory.mktemp("graph") / ("model.onnx" if export is export_onnx else "model.pt2")
        return path, export(learned(side, input_size), path)

    return once


@pytest.mark.slow
@pytest.mark.parametrize("export", [export_onnx, export_torch])
@pytest.mark.parametrize(("side", "input_size"), [(32, 64), (64, 32)])
def test_graphs_agree_with_the_detector_for_any_batch(exported, export, side, input_size):
    predictor, (path, graph) = learned(side, input_size), exported(export, side, input_size)
    parities = check_parity(predictor, graph, [dots(50, 70, (10, 20), (40, 30)), dots(61, 43, (10, 20), (40, 30))])
    assert [parity.images for parity in parities] == ["5 random images", "2 real images"]
    assert all(parity.keypoints < 1e-4 and parity.confidence < 1e-4 for parity in parities)
    for count in (1, 7):
        images = np.random.default_rng(count).uniform(-1, 1, (count, 3, side, side)).astype(np.float32)
        keypoints, confidence = graph(images)
        assert (keypoints.shape, confidence.shape) == ((count, 5, 2), (count, 5))
        assert keypoints.dtype == confidence.dtype == np.float32
        assert keypoints.std() > 0.05  # a graph of constants would agree with a detector of constants
    assert list(path.parent.iterdir()) == [path]


def test_parity_sees_a_difference(tmp_path):
    predictor = learned(32, 32)
    keypoints, confidence = np.zeros((5, 5, 2), np.float32), np.zeros((5, 5), np.float32)
    (parity,) = check_parity(predictor, lambda images: (keypoints, confidence))
    assert parity.keypoints > 0.05
    assert "px), confidence" in parity.line(32)


def test_parity_says_where_confidence_was_not_exercised():
    calibration = {"mass": [0.3, 0.9], "probability": [0.0, 1.0]}  # a random image's peaks hold little mass
    description = detector_description(keypoints=2, pair_size=[128, 128], crop="pad", calibration=calibration)
    predictor = Predictor(perfect().detector, description, "ab" * 8, CPU)
    graph = KeypointGraph(predictor.detector, predictor.calibration)
    random, real = check_parity(
        predictor,
        lambda images: tuple(part.numpy() for part in graph(torch.from_numpy(images))),
        [dots(50, 70, (10, 20), (40, 30))],
    )
    assert not random.exercised
    assert "(these images do not test the confidence" in random.line(128)
    assert real.exercised
    assert "exercised" not in real.line(128)


def test_a_graph_holds_the_calibration_of_its_detector():
    predictor = learned(32, 32)
    mass = np.linspace(0, 1, 101, dtype=np.float32)
    found = KeypointGraph(predictor.detector, predictor.calibration).probability(torch.from_numpy(mass))
    np.testing.assert_allclose(found, predictor.calibration(mass), atol=1e-6)
    assert found[[0, 25, 100]].tolist() == pytest.approx([0.05, 0.325, 0.95])


@pytest.mark.slow
def test_the_script_of_the_documentation_works(dot_graphs, tmp_path, monkeypatch):
    predictor, image = perfect("centre", side=64), dots(100, 140, (70, 30), (50, 62))
    shutil.copy(dot_graphs / "model.onnx", tmp_path)
    write_image(tmp_path / "image.png", image)
    monkeypatch.chdir(tmp_path)
    script = next(code for code in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S) if "onnxruntime" in code)
    found = {}
    exec(script, found)
    expected_px, confidence = predictor(image)
    np.testing.assert_allclose(found["keypoints_px"], expected_px, atol=0.02)
    np.testing.assert_allclose(found["keypoints_px"], [[70, 30], [50, 62]], atol=0.3)
    np.testing.assert_allclose(found["confidence"][0], confidence, atol=1e-4)


@pytest.mark.slow
def test_files_say_what_a_user_must_know(exported):
    onnxruntime = pytest.importorskip("onnxruntime")
    (onnx, _), (program, _) = (exported(export, 32, 64) for export in (export_onnx, export_torch))
    told = {"kpdetect.json": ""}
    torch.export.load(program, extra_files=told)
    stored = onnxruntime.InferenceSession(str(onnx)).get_modelmeta().custom_metadata_map["kpdetect"]
    assert json.loads(stored) == json.loads(told["kpdetect.json"])
    names = ["keypoint0", "nose", "keypoint2", "keypoint3", "keypoint4"]
    assert json.loads(stored) == {"side": 32, "crop": "pad", "keypoints": names, "weights": "ab" * 8}


@pytest.mark.slow
def test_the_command_prints_parity(small_project, blob_folder, tmp_path, fails):
    shown = CliRunner().invoke(
        app, ["export", str(small_project), "--torch", str(tmp_path / "m.pt2"), "--images", str(blob_folder)]
    )
    assert shown.exit_code == 0, shown.output
    assert "parity on 5 random images" in shown.output
    assert "parity on 16 real images" in shown.output
    assert "--onnx FILE or --torch FILE" in fails("export", small_project)
    with pytest.raises(InputError, match=r"expected a file name that ends in \.pt2"):
        export_torch(perfect(), tmp_path / "m.bin")
