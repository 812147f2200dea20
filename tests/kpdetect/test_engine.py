"""What computes the network: engines agree, batch norm is folded exactly, and the record says which engine ran."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import kpdetect
from kpdetect.detector.batch_norm_folding import folded
from kpdetect.detector.network import Detector
from kpdetect.errors import InputError
from kpdetect.images.image_files import write_image
from kpdetect.inference import engine as engines
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.engine import AGREEMENT, PlainEngine, TorchEngine, build_engine, settled
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictor import Predictor
from kpdetect.toy.render import render
from kpdetect.toy.scene import sample_scene
from tests.builders.runtimes import CPU

PRECISE = replace(CPU, compute=torch.float32)


class Branch(nn.Module):
    """A convolution whose result goes into a batch norm, and past it too."""

    def __init__(self, *, past: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.norm, self.convolution, self.past = nn.BatchNorm2d(4), nn.Conv2d(3, 4, 3, padding=1, bias=False), past
        nn.init.uniform_(self.norm.weight, 0.5, 2)
        nn.init.uniform_(self.norm.bias, -1, 1)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, images):
        features = self.convolution(images)
        return [self.norm(features) + (features if self.past else 0)]


def faces(size, count):
    """Cartoon faces [count, size, size, 3]."""
    return np.stack([render(sample_scene(7, index), size).image for index in range(count)])


def norms(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


@pytest.mark.parametrize("past", [False, True])
def test_a_batch_norm_is_folded_only_where_nothing_else_sees_its_input(past):
    detector = Detector(Branch(past=past), nn.Identity(), 12).eval()
    image = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    copy = folded(detector)
    assert len(norms(copy)) == int(past)
    assert len(norms(detector)) == 1  # the detector itself stays
    torch.testing.assert_close(copy(image), detector(image), atol=1e-5, rtol=1e-5)


def test_a_folded_weight_is_scaled_and_the_bias_shifted():
    detector = Detector(Branch(past=False), nn.Identity(), 12).eval()
    norm, convolution = detector.backbone.norm, detector.backbone.convolution
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    found = folded(detector).backbone.convolution
    torch.testing.assert_close(found.weight, convolution.weight * scale[:, None, None, None])
    torch.testing.assert_close(found.bias, norm.bias - norm.running_mean * scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["toy-32", "faces-128"])
def test_engines_agree_on_shipped_models(name):
    pytest.importorskip("onnxruntime")
    predictor = kpdetect.load(name, "cpu", engine="plain")
    squares, side, detector = faces(predictor.side, 4), predictor.side, predictor.detector
    plain = PlainEngine(detector, PRECISE)(squares)
    torch_engine = TorchEngine(detector, PRECISE)
    assert not norms(torch_engine.detector)
    for other, limit in ((torch_engine, 1e-4), (build_engine("onnx", detector, PRECISE, side), AGREEMENT)):
        keypoints, mass = other(squares)
        assert np.linalg.norm(keypoints - plain[0], axis=-1).max() * side / 2 < limit
        np.testing.assert_allclose(mass, plain[1], atol=1e-3)
        again = other(squares)
        assert np.array_equal(again[0], keypoints)
        assert np.array_equal(again[1], mass)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.9, 1.3])
def test_auto_takes_the_faster_engine_and_remembers_it(monkeypatch, gain):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(engines, "_chosen", {})
    monkeypatch.setattr(engines, "_gain", lambda *_: gain)
    monkeypatch.setattr(engines, "OnnxEngine", lambda *_: SimpleNamespace(name="onnx"))
    detector = Detector(Branch(past=False), nn.Identity(), 12).eval()
    torch_engine = TorchEngine(detector, PRECISE)

    def chosen(images, runtime=PRECISE):
        return settled(torch_engine, detector, runtime, 12, "ab", images).name

    assert chosen(engines.WORTH_MEASURING - 1) == "torch"  # too few to be measured for
    assert chosen(engines.WORTH_MEASURING) == ("onnx" if gain > 1 else "torch")
    monkeypatch.setattr(engines, "_gain", None)  # is not asked again
    assert chosen(1) == ("onnx" if gain > 1 else "torch")
    assert chosen(engines.WORTH_MEASURING, replace(PRECISE, compute=torch.bfloat16)) == "torch"
    assert chosen(engines.WORTH_MEASURING, replace(PRECISE, world=2)) == "torch"


def test_an_engine_that_differs_is_never_taken():
    squares = np.zeros((1, 8, 8, 3), np.uint8)

    class Fixed:
        def __init__(self, name, shift, mass=1.0):
            self.name, self.shift, self.mass = name, shift, mass

        def __call__(self, squares):
            return np.full((len(squares), 2, 2), self.shift, np.float32), np.full((len(squares), 2), self.mass, np.float32)

    assert Fixed("torch", 0.0)(squares)[0].shape == (1, 2, 2)
    assert engines._gain(Fixed("torch", 0.0), Fixed("onnx", 0.001), 64) > 0  # 0.03 * sqrt(2) px
    assert engines._gain(Fixed("torch", 0.0), Fixed("onnx", 0.002), 64) == 0
    assert engines._gain(Fixed("torch", 0.0), Fixed("onnx", 0.0, mass=0.98), 64) == 0


def test_the_precision_is_that_of_the_caller(small_project, tmp_path, monkeypatch):
    write_image(tmp_path / "in" / "a.png", faces(64, 1)[0])
    precise = kpdetect.load(small_project, "cpu", precision="float32")
    assert precise.runtime.compute == torch.float32
    rounded = kpdetect.load(small_project, "cpu", precision="bfloat16")
    assert rounded.runtime.compute == torch.bfloat16
    weights = [layer.weight.dtype for layer in rounded.engine.detector.modules() if isinstance(layer, nn.Conv2d)]
    assert set(weights) == {torch.bfloat16}
    with pytest.raises(InputError, match="`precision=half`: expected one of auto, float32, bfloat16"):
        kpdetect.load(small_project, precision="half")
    seen = []
    load = Predictor.load
    monkeypatch.setattr(Predictor, "load", lambda *given, **how: seen.append(load(*given, **how)) or seen[-1])
    config = PredictConfig(overlays=0, precision="float32")
    predict_inputs(small_project, [str(tmp_path / "in")], tmp_path / "out", config, "cpu")
    assert [predictor.runtime.compute for predictor in seen] == [torch.float32]


@pytest.mark.slow
def test_without_onnxruntime_auto_is_torch_and_onnx_one_line(monkeypatch, small_project, tmp_path):
    write_image(tmp_path / "in" / "a.png", faces(64, 1)[0])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(engines, "find_spec", lambda package: None)
    monkeypatch.setattr(engines, "WORTH_MEASURING", 1)
    with pytest.raises(InputError, match="the package onnxruntime is not installed; pip install"):
        kpdetect.load(small_project, engine="onnx")
    with pytest.raises(InputError, match="`engine=fast`: expected one of auto, torch, onnx, plain"):
        kpdetect.load(small_project, engine="fast")
    predict_inputs(small_project, [str(tmp_path / "in")], tmp_path / "out", PredictConfig(overlays=0))
    assert json.loads((tmp_path / "out" / "predictions.json").read_text())["engine"] == "torch"
