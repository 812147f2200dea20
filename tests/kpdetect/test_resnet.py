"""Networks that are built without timm are those of timm."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from kpdetect.detector.backbone import create_backbone
from kpdetect.detector.resnet import KINDS, resnet


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_network_is_that_of_timm(name):
    torch.manual_seed(0)
    theirs, ours = create_backbone(name).eval(), resnet(name).eval()
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 1.5)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert ours.channels == theirs.feature_info.channels()
    with torch.inference_mode():
        for images in (torch.randn(2, 3, 64, 96), torch.randn(1, 3, 45, 77)):  # odd sides: the mean of a part
            pairs = list(zip(ours(images), theirs(images), strict=True))
            assert all(torch.equal(one, other) for one, other in pairs)


def test_an_unknown_network_is_left_to_timm():
    assert resnet("resnet50") is None


@pytest.mark.slow
def test_a_shipped_detector_loads_without_slow_packages():
    slow = "timm", "torchvision", "matplotlib", "sklearn", "albumentations", "onnx", "onnxruntime", "torch._dynamo"
    code = f"import sys, kpdetect; kpdetect.load('toy-32', 'cpu'); print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
