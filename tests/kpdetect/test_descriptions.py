"""What weights files and checkpoints say of themselves is checked when they are read."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from generator.stream import load_generator
from kpdetect.errors import CheckpointError
from kpdetect.inference.predictor import Predictor
from kpdetect.training.checkpoints import (
    load_checkpoint,
    load_checkpoint_header,
    load_weights,
    read_description,
    read_detector_description,
    read_model_description,
    save_checkpoint,
    save_weights,
)
from kpdetect.training.optimiser_state import require_state

DETECTOR: dict[str, Any] = {"config": {}, "keypoints": 3, "pair_size": [64, 64], "crop": "centre"}


def weights(folder: Path, **changes: Any) -> Path:
    path = folder / "model.safetensors"
    save_weights(path, "detector", {"a": torch.zeros(2)}, {**DETECTOR, **changes})
    return path


def test_descriptions_are_typed_and_keep_what_newer_versions_add(tmp_path: Path) -> None:
    path = weights(tmp_path, minutes=2, news={"a": 1})
    description = read_detector_description(path)
    assert (description.keypoints, description.pair_size, description.crop, description.minutes) == (3, (64, 64), "centre", 2.0)
    assert description.calibration is None
    assert read_description(path) == {"kind": "detector", "version": 1, **DETECTOR, "minutes": 2, "news": {"a": 1}}
    assert read_model_description(path).content["news"] == {"a": 1}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("keypoints", 0),
        ("keypoints", "3"),
        ("keypoints", 10**9),
        ("pair_size", [64]),
        ("pair_size", [64, -64]),
        ("crop", "round"),
        ("config", []),
        ("calibration", {"mass": [1, 0], "probability": [0, 1]}),
        ("calibration", {"mass": [0.1, 0.2], "probability": [0.5]}),
        ("calibration", {"mass": [float("nan")], "probability": [0.5]}),
        ("keypoint_layout", {"places": [[0, 0]], "distances": [[0]]}),
        ("minutes", "long"),
        ("step", -1),
        ("refined", "yes"),
        ("provenance", [1]),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, key: str, value: Any) -> None:
    path = weights(tmp_path, **{key: value})
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: .*{key}") as caught:
        load_weights(path, "detector")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("key", ["config", "keypoints", "pair_size", "crop"])
def test_what_a_detector_needs_is_there(tmp_path: Path, key: str) -> None:
    path = weights(tmp_path)
    text = {name: value for name, value in read_description(path).items() if name != key}
    save_file({"a": torch.zeros(2)}, path, metadata={"kpdetect": json.dumps(text)})
    with pytest.raises(CheckpointError, match=f"the description lacks {key}"):
        load_weights(path, "detector")
    assert read_model_description(path).kind == "detector"


@pytest.mark.parametrize("text", ["", "3", "[]", "{", "[" * 5000, "null", '{"kind": "detector", "version": 1e400}'])
def test_metadata_that_are_no_description_are_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata={"kpdetect": text})
    with pytest.raises(CheckpointError, match=r"model\.safetensors: "):
        read_description(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_are_numbers(tmp_path: Path, value: float) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, "detector", {"a": torch.zeros(2), "b": torch.tensor([0, value])}, DETECTOR)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: tensor b holds values that are not numbers"):
        load_weights(path, "detector")


def test_tensors_fit_the_network_that_is_described(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="do not fit the network that their description names"):
        Predictor.load(weights(tmp_path))
    with pytest.raises(CheckpointError, match=r"that their description names \(16,384 channels, tensors of 2\)"):
        Predictor.load(weights(tmp_path, config={"model": {"head_width": 16384}}))
    path = tmp_path / "generator.safetensors"
    save_weights(path, "generator", {"a": torch.zeros(2)}, {"config": {}})
    with pytest.raises(CheckpointError, match="do not fit the network that their description names"):
        load_generator(path)
    save_weights(path, "generator", {"a": torch.zeros(2)}, {"config": {"model": {"mlp_width": 16000}}})
    with pytest.raises(CheckpointError, match="16,000 channels"):
        load_generator(path)


@pytest.mark.parametrize(
    "state", [{"step": "1"}, {"step": -1}, {"seconds": float("nan")}, {"step": 1, "data": 3}, {"seconds": None}, [1], 3]
)
def test_checkpoints_say_their_progress(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, "detector", state)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: .*delete it to start again"):
        load_checkpoint(path, "detector")


def test_checkpoints_are_stored_uncompressed(tmp_path: Path) -> None:
    path, packed = tmp_path / "checkpoint.pt", tmp_path / "packed.pt"
    save_checkpoint(path, "detector", {"step": 1, "seconds": 2.0, "data": "d"})
    assert load_checkpoint_header(path) == ("detector", {"step": 1, "seconds": 2.0, "data": "d"})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    with pytest.raises(CheckpointError, match=r"packed\.pt: damaged checkpoint"):
        load_checkpoint_header(packed)


def adam_state(change: Callable[[dict[str, Any]], Any]) -> tuple[torch.optim.Adam, dict[str, Any]]:
    network = torch.nn.Linear(2, 3)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    state = copy.deepcopy(optimiser.state_dict())
    change(state)
    return optimiser, state


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["state"][0].pop("exp_avg"),
        lambda state: state["state"][0].update(exp_avg=torch.zeros(2, 3)),
        lambda state: state["state"][1].update(exp_avg_sq=torch.tensor([1, 2, float("nan")])),
        lambda state: state["state"].update({7: state["state"][0]}),
        lambda state: state["param_groups"][0].update(lr="1"),
        lambda state: state["param_groups"][0].update(weight_decay="1"),
        lambda state: state["param_groups"][0].update(betas=[0.5]),
        lambda state: state["param_groups"][0].pop("lr"),
        lambda state: state["param_groups"].clear(),
        lambda state: state.update(state=3),
    ],
)
def test_an_optimiser_takes_its_own_state_alone(change: Callable[[dict[str, Any]], Any]) -> None:
    require_state(*adam_state(lambda state: None))
    fresh, _ = adam_state(lambda state: None)
    require_state(fresh, torch.optim.Adam(torch.nn.Linear(2, 3).parameters()).state_dict())
    with pytest.raises(ValueError, match="optimiser|parameter"):
        require_state(*adam_state(change))
