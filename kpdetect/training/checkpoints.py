"""Checkpoints (everything needed to continue exactly) and weights files (what is given away).

A checkpoint is a `torch.save` of plain tensors, numbers, strings and containers, so that it loads with `weights_only=True`.
A weights file is safetensors; its metadata is one JSON string that says what the model is and where it came from.
Both have their final name only once they are complete.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from kpdetect.errors import CheckpointError
from kpdetect.files.atomic import replacing
from kpdetect.files.hashes import bytes_hash
from kpdetect.files.json_yaml import parse_json
from kpdetect.files.reading import reading, reason, shortened
from kpdetect.files.records import Count, Record
from kpdetect.shipped import shipped_folder
from kpdetect.training.model_description import KINDS, DetectorDescription, ModelDescription, described

WEIGHTS = "model.safetensors"
"""Name of the weights in a run folder."""

CHECKPOINT = "checkpoint.pt"
"""Name of the state of training in a run folder."""

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


class _Checkpoint(Record):
    """What every checkpoint holds, whatever is trained."""

    kind: str
    version: int
    state: dict[str, Any]


class _Progress(Record):
    """What every trainer's state says of its progress."""

    step: Count
    seconds: Annotated[float, Field(ge=0)]
    data: str


def load_checkpoint(path: Path, kind: str) -> dict[str, Any]:
    """Read the state that `save_checkpoint` wrote.

    Raises:
        CheckpointError: missing, damaged, of another version, or of another kind of trainer.
    """
    found, state = load_checkpoint_header(path)
    if found != kind:
        raise CheckpointError(f"{path}: a checkpoint of a {shortened(found, 40)}, expected one of a {kind}")
    return state


def load_checkpoint_header(path: Path) -> tuple[str, dict[str, Any]]:
    """Kind and state of any checkpoint.

    Raises:
        CheckpointError: missing, damaged, or of another version.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        _require_stored(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint = _Checkpoint.model_validate({name: content[name] for name in ("kind", "version", "state")})
    except Exception as error:  # torch.load raises many types on damaged files; all mean the same to the user
        raise CheckpointError(f"{path}: damaged checkpoint ({type(error).__name__}); delete it to start anew") from error
    if checkpoint.version != CHECKPOINT_VERSION:
        raise CheckpointError(
            f"{path}: a checkpoint of version {checkpoint.version}, expected {CHECKPOINT_VERSION}; train anew in another --out"
        )
    with reading(path, CheckpointError, "delete it to start anew"):
        state = {name: checkpoint.state[name] for name in _Progress.model_fields if name in checkpoint.state}
        if set(state) & {"step", "seconds"}:
            _Progress.model_validate({"step": 0, "seconds": 0.0, "data": ""} | state)
    return checkpoint.kind, checkpoint.state


def _require_stored(path: Path) -> None:
    """Refuse an archive whose members are compressed: torch writes none, and a small file may hold terabytes."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("compressed")


def save_weights(path: Path, kind: str, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write named tensors and their `description` (JSON-ready) as safetensors."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {"kpdetect": json.dumps({"kind": kind, "version": WEIGHTS_VERSION, **description})}
    content = save(plain, metadata=metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        for say in _announced.get(Path(os.path.abspath(path)), ()):
            say(bytes_hash(content))


_announced: dict[Path, list[Callable[[str], None]]] = {}


@contextmanager
def announced(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Inside of the block, `say` is called with the hash of weights right before they get the name `path`."""
    listeners = _announced.setdefault(Path(os.path.abspath(path)), [])
    listeners.append(say)
    try:
        yield
    finally:
        listeners.remove(say)


def read_description(path: Path) -> dict[str, Any]:
    """The description of a weights file, without its tensors, as JSON; see `read_model_description`.

    Raises:
        CheckpointError: missing, damaged, or not written by kpdetect.
    """
    read_model_description(path)
    return dict(parse_json(_metadata(path), path, CheckpointError))


def read_model_description(path: Path) -> ModelDescription:
    """The description of a weights file, without its tensors.

    Raises:
        CheckpointError: missing, damaged, or not written by kpdetect.
    """
    return described(ModelDescription, _metadata(path), path)


def read_detector_description(path: Path) -> DetectorDescription:
    """The description of a detector's weights file, without its tensors.

    Raises:
        CheckpointError: missing, damaged, or of something else.
    """
    description = read_model_description(path)
    _require_kind(description, "detector", path)
    return described(DetectorDescription, _metadata(path), path)


def _metadata(path: Path) -> str:
    from safetensors import safe_open

    if not path.exists():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except Exception as error:  # many types on damaged files
        raise CheckpointError(f"{path}: damaged weights file ({reason(error)}); make or copy it again") from error
    if "kpdetect" not in metadata:
        raise CheckpointError(f"{path}: not written by kpdetect; expected a model.safetensors of a run folder")
    parse_json(metadata["kpdetect"], path, CheckpointError)  # within bounds
    return str(metadata["kpdetect"])


def _require_kind(description: ModelDescription, kind: str, path: Path) -> None:
    if description.kind != kind or description.version != WEIGHTS_VERSION:
        raise CheckpointError(
            f"{path}: holds a {shortened(description.kind, 40)} of version {description.version}, "
            f"expected a {kind} of version {WEIGHTS_VERSION}; give another model, or use the kpdetect that wrote it"
        )


def load_weights(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and description of a weights file of `kind` ("generator" or "detector").

    Raises:
        CheckpointError: missing, damaged, of another kind or version, or with values that are no numbers.
    """
    from safetensors.torch import load_file

    _require_kind(read_model_description(path), kind, path)
    described(KINDS[kind], _metadata(path), path)
    with reading(path, CheckpointError, "make or copy it again"):
        tensors = load_file(path)
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise ValueError(f"tensor {name} holds values that are no numbers")
    return tensors, read_description(path)


def fill(network: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Load a weights file's tensors into the network that its description says.

    Raises:
        CheckpointError: they do not fit.
    """
    with reading(source, CheckpointError, "does not fit the network it describes, train it again"):
        network.load_state_dict(tensors)


def require_widths(widths: Iterable[int], tensors: dict[str, Tensor], source: Path) -> None:
    """Refuse a network far wider than its tensors before its memory is asked for.

    Args:
        widths: channels that the description says.
        tensors: of the same file.
        source: the file.

    Raises:
        CheckpointError: it is.
    """
    widest = max((side for tensor in tensors.values() for side in tensor.shape), default=0)
    if (found := max(widths, default=0)) > max(1024, widest):
        raise CheckpointError(
            f"{source}: does not fit the network it describes ({found:,} channels, tensors of {widest:,}); copy the file again"
        )


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
