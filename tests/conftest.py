"""Fixtures shared by the tests: small folders of images, and real data where KPDETECT_DATA says it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders.blobs import write_blobs

pytest_plugins = ["tests.builders.commands", "tests.builders.projects"]

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: one worker a core, not one a core each
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


@pytest.fixture(autouse=True, scope="session")
def short_statistics_and_no_flushing():
    """Generators measure their batch-norm statistics on one batch instead of sixteen, and files are not flushed to disk.

    Sixteen batches would take most of the time of a test. Flushing helps only where the power fails.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("generator.training.batch_norm.BATCHES", 1)
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr(os, "sync", lambda: None, raising=False)
        yield


@pytest.fixture(autouse=True)
def messages_on_standard_error():
    """Messages and progress go where the command line sends them, so that tests of the library can read them."""
    from kpdetect.console import console

    with console():
        yield


@pytest.fixture
def real_data() -> Path:
    """Folder of real data sets; a missing file in it is a failure, an unset variable a skip."""
    if "KPDETECT_DATA" not in os.environ:
        pytest.skip("KPDETECT_DATA is unset; set it to a folder with celeba10k/ and mafl_golden/ to run this test")
    return Path(os.environ["KPDETECT_DATA"])


@pytest.fixture
def blob_folder(tmp_path: Path) -> Path:
    """24 images, 40 wide and 36 high, each with one bright disc on a dark gradient."""
    return write_blobs(tmp_path / "blobs")


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A project folder with an untrained detector of 3 keypoints on 32-pixel pairs."""
    return write_project(tmp_path / "project", 3)


def write_project(project: Path, keypoints: int) -> Path:
    """The folder of `small_project`, with so many keypoints."""
    import torch

    from kpdetect.detector.config import DetectorConfig, DetectorModelConfig
    from kpdetect.detector.model import build_detector
    from kpdetect.training.checkpoints import save_weights

    config = DetectorConfig(model=DetectorModelConfig(input_size=32, head_width=4, head_stages=1))
    description = {"config": config.model_dump(mode="json"), "keypoints": keypoints, "pair_size": [32, 32], "crop": "stretch"}
    torch.manual_seed(0)
    folder = project / "detector"
    save_weights(folder / "model.safetensors", "detector", build_detector(config.model, keypoints).state_dict(), description)
    return folder.parent


@pytest.fixture
def first_is_32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Growing models of 64 pixels that begin with 32."""
    from generator.config import ModelConfig

    monkeypatch.setattr(ModelConfig, "image_sizes", property(lambda model: (32, 64) if model.progressive else (model.size,)))
