"""Checkpoints (everything needed to continue exactly) and weights files (what is given away).

A checkpoint is a `torch.save` of plain tensors, numbers, strings and containers, so that it loads with `weights_only=True`.
A weights file is safetensors; its metadata is one JSON string that says what the model is and where it came from.
Both have their final name only once they are complete.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kpdetect.errors import CheckpointError
from kpdetect.files import WEIGHTS, replacing
from kpdetect.shipped import shipped_folder

CHECKPOINT_VERSION = 1
WEIGHTS_VERSION = 1
REFINED = "refined"
"""Folder of a project that holds the detector after its second stage."""
TAUGHT = "taught"
"""How the folders of a project are called that hold the detectors of its rounds of self-training: taught-1, taught-2, ..."""


def save_checkpoint(path: Path, kind: str, state: dict[str, Any]) -> None:
    """Write `state` of a trainer of `kind` (for example "generator") to `path`."""
    content = io.BytesIO()  # torch's own writer ends a full disk in an unspecific RuntimeError
    torch.save({"kind": kind, "version": CHECKPOINT_VERSION, "state": state}, content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_checkpoint(path: Path, kind: str) -> dict[str, Any]:
    """Read the state that `save_checkpoint` wrote.

    Raises:
        CheckpointError: missing, damaged, of another version, or of another kind of trainer.
    """
    found, state = load_checkpoint_header(path)
    if found != kind:
        raise CheckpointError(f"{path}: a checkpoint of a {found}, expected one of a {kind}")
    return state


def load_checkpoint_header(path: Path) -> tuple[str, dict[str, Any]]:
    """Kind and state of any checkpoint.

    Raises:
        CheckpointError: missing, damaged, or of another version.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        kind, version, state = content["kind"], content["version"], content["state"]
    except Exception as error:  # torch.load raises many types on damaged files; all mean the same to the user
        raise CheckpointError(f"{path}: damaged checkpoint ({type(error).__name__}); delete it to start anew") from error
    if version != CHECKPOINT_VERSION:
        raise CheckpointError(
            f"{path}: a checkpoint of version {version}, expected {CHECKPOINT_VERSION}; train anew in another --out"
        )
    return str(kind), dict(state)


def save_weights(path: Path, kind: str, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write named tensors and their `description` (JSON-ready) as safetensors."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {"kpdetect": json.dumps({"kind": kind, "version": WEIGHTS_VERSION, **description})}
    with replacing(path) as temporary:
        temporary.write_bytes(save(plain, metadata=metadata))


def read_description(path: Path) -> dict[str, Any]:
    """The description of a weights file, without its tensors.

    Raises:
        CheckpointError: missing, damaged, or not written by kpdetect.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged weights file ({error}); make or copy it again") from error
    if "kpdetect" not in metadata:
        raise CheckpointError(f"{path}: not written by kpdetect; expected a model.safetensors of a run folder")
    return dict(json.loads(metadata["kpdetect"]))


def load_weights(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and description of a weights file of `kind` ("generator" or "detector").

    Raises:
        CheckpointError: missing, damaged, of another kind or version.
    """
    from safetensors.torch import load_file

    description = read_description(path)
    if description.get("kind") != kind or description.get("version") != WEIGHTS_VERSION:
        raise CheckpointError(
            f"{path}: holds a {description.get('kind')} of version {description.get('version')}, "
            f"expected a {kind} of version {WEIGHTS_VERSION}; give another model, or use the kpdetect that wrote it"
        )
    return load_file(path), description


def detector_stages(project: Path) -> list[str]:
    """Folders of a project that hold its detectors, if they are there, from the first to the last."""
    rounds = [number for path in project.glob(f"{TAUGHT}-*") if (number := round_number(path.name)) is not None]
    return ["detector", REFINED, *map(round_folder, sorted(rounds))]


def last_detector(project: Path, *, before: int) -> Path:
    """The weights file of the last detector of a project before a round of self-training.

    Raises:
        CheckpointError: nothing there.
    """
    for stage in reversed(detector_stages(project)):
        weights = project / stage / WEIGHTS
        if weights.is_file() and (round_number(stage) or 0) < before:
            return weights
    raise CheckpointError(f"{project}: no trained detector here")


def round_folder(number: int) -> str:
    """What the folder of a round of self-training is called inside a project, numbers from 1."""
    return f"{TAUGHT}-{number}"


def round_number(stage: str) -> int | None:
    """Which round of self-training a folder of a project holds, from 1; None if it holds something else."""
    number = stage.removeprefix(f"{TAUGHT}-")
    return int(number) if number.isdecimal() and stage == round_folder(int(number)) else None


def is_detector_stage(folder: Path) -> bool:
    """Whether a folder is called like one that holds a detector of the project above it."""
    return folder.name in detector_stages(folder.parent)


def find_weights(path: Path, kind: str) -> Path:
    """The weights file of `kind` that `path` means: the file itself, its run folder, or the project folder above it, where the
    last of its detectors (`detector_stages`) goes before those it was made from; a folder of `kpdetect pack`; or the name of a
    model that comes with the package (`kpdetect models`).

    Raises:
        CheckpointError: nothing there.
    """
    stages = reversed(detector_stages(path)) if kind == "detector" else [kind]
    folders = [path, *(path / stage for stage in stages)]
    packed = (shipped_folder(path) or path) / f"{kind}.safetensors"
    candidates = [path] if path.is_file() else [*(folder / WEIGHTS for folder in folders), packed]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise CheckpointError(
        f"{path}: no trained {kind} here; expected a model.safetensors, its run or project folder, or one of `kpdetect models`"
    )
