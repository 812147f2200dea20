"""Checkpoints and weights files.

A checkpoint holds everything that is needed to continue a run exactly. `torch.save` writes it, and it holds only tensors,
numbers, strings and containers, so that `torch.load` can read it with `weights_only=True`. A weights file is the result of a
run. It is a safetensors file. Its metadata, a JSON string, describe the model and its origin. Both files get their final name
only when they are complete.
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
from kpdetect.training.stage_choice import in_order_of_use

WEIGHTS = "model.safetensors"
"""Name of the weights in a run folder."""
CHECKPOINT = "checkpoint.pt"
"""Name of the checkpoint in a run folder."""
CHECKPOINT_VERSION = 1
WEIGHTS_VERSION = 1
REFINED = "refined"
"""Name of the folder in a project that holds the detector after refinement on real images."""
TAUGHT = "taught"
"""Beginning of the names of a project's folders for rounds of self-training: taught-1, taught-2, ..."""


def save_checkpoint(path: Path, kind: str, state: dict[str, Any]) -> None:
    """Write the `state` of a trainer of `kind` (for example "generator") to `path`."""
    content = io.BytesIO()  # the writer of torch reports a full disk as an unspecific RuntimeError
    torch.save({"kind": kind, "version": CHECKPOINT_VERSION, "state": state}, content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


class _Checkpoint(Record):
    """The keys of every checkpoint."""

    kind: str
    version: int
    state: dict[str, Any]


class _Progress(Record):
    """The progress in the state of every trainer."""

    step: Count
    seconds: Annotated[float, Field(ge=0)]
    data: str


def load_checkpoint(path: Path, kind: str) -> dict[str, Any]:
    """Read the state that `save_checkpoint` wrote.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, of another version, or of another kind of trainer.
    """
    got, state = load_checkpoint_header(path)
    if got != kind:
        raise CheckpointError(f"{path}: got a checkpoint of a {shortened(got, 40)}, expected a checkpoint of a {kind}")
    return state


def load_checkpoint_header(path: Path) -> tuple[str, dict[str, Any]]:
    """Read the kind and the state of a checkpoint.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, or of another version.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such checkpoint; give the folder of a run")
    try:
        _require_stored(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint = _Checkpoint.model_validate({name: content[name] for name in ("kind", "version", "state")})
    except Exception as error:  # torch.load raises many types for damaged files; all mean the same to the user
        raise CheckpointError(f"{path}: damaged checkpoint ({type(error).__name__}); delete it to start again") from error
    if checkpoint.version != CHECKPOINT_VERSION:
        versions = f"got a checkpoint of version {checkpoint.version}, expected {CHECKPOINT_VERSION}"
        raise CheckpointError(f"{path}: {versions}; train again in another `out`")
    with reading(path, CheckpointError, "delete it to start again"):
        state = {name: checkpoint.state[name] for name in _Progress.model_fields if name in checkpoint.state}
        if set(state) & {"step", "seconds"}:
            _Progress.model_validate({"step": 0, "seconds": 0.0, "data": ""} | state)
    return checkpoint.kind, checkpoint.state


def _require_stored(path: Path) -> None:
    """Check that an archive has no compressed members. A small compressed file may unpack to terabytes; torch writes none."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("compressed")


def save_weights(path: Path, kind: str, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write named tensors and their `description` (values for JSON) as a safetensors file."""
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
    """Call `say` when the `with` block writes weights to `path`, with their hash and right before their file gets this name."""
    listeners = _announced.setdefault(Path(os.path.abspath(path)), [])
    listeners.append(say)
    try:
        yield
    finally:
        listeners.remove(say)


def read_description(path: Path) -> dict[str, Any]:
    """Read the description of a weights file as JSON values, without its tensors; see `read_model_description`.

    Raises:
        CheckpointError: the file is missing or damaged, or kpdetect did not write it.
    """
    read_model_description(path)
    return dict(parse_json(_metadata(path), path, CheckpointError))


def read_model_description(path: Path) -> ModelDescription:
    """Read the description of a weights file, without its tensors.

    Raises:
        CheckpointError: the file is missing or damaged, or kpdetect did not write it.
    """
    return described(ModelDescription, _metadata(path), path)


def read_detector_description(path: Path) -> DetectorDescription:
    """Read the description of a detector's weights file, without its tensors.

    Raises:
        CheckpointError: the file is missing or damaged, or holds no detector.
    """
    description = read_model_description(path)
    _require_kind(description, "detector", path)
    return described(DetectorDescription, _metadata(path), path)


def _metadata(path: Path) -> str:
    from safetensors import safe_open

    if not path.exists():
        raise CheckpointError(f"{path}: no such weights file; give the file, its run folder or its project folder")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except Exception as error:  # safetensors raises many types of errors for damaged files
        raise CheckpointError(
            f"{path}: damaged weights file ({reason(error)}); copy the file again, or train the model again"
        ) from error
    if "kpdetect" not in metadata:
        raise CheckpointError(f"{path}: kpdetect did not write this file; expected a model.safetensors of a run folder")
    parse_json(metadata["kpdetect"], path, CheckpointError)  # checks size and depth
    return str(metadata["kpdetect"])


def _require_kind(description: ModelDescription, kind: str, path: Path) -> None:
    if description.kind != kind or description.version != WEIGHTS_VERSION:
        raise CheckpointError(
            f"{path}: holds a {shortened(description.kind, 40)} of version {description.version}, "
            f"expected a {kind} of version {WEIGHTS_VERSION}; give another model, or use the kpdetect that wrote it"
        )


def load_weights(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the description of a weights file of `kind` ("generator" or "detector").

    Raises:
        CheckpointError: the file is missing, damaged, of another kind or version, or holds values that are not numbers.
    """
    from safetensors.torch import load_file

    _require_kind(read_model_description(path), kind, path)
    described(KINDS[kind], _metadata(path), path)
    with reading(path, CheckpointError, "copy the file again, or train the model again"):
        tensors = load_file(path)
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise ValueError(f"tensor {name} holds values that are not numbers")
    return tensors, read_description(path)


def fill(network: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Load the tensors of a weights file into a network. The network was built from the description in the same file.

    Raises:
        CheckpointError: the tensors do not fit the network.
    """
    with reading(
        source, CheckpointError, "the weights do not fit the network that their description names; train the model again"
    ):
        network.load_state_dict(tensors)


def require_widths(widths: Iterable[int], tensors: dict[str, Tensor], source: Path) -> None:
    """Check that a description does not have many more channels than the tensors, before the network is built in memory.

    Args:
        widths: numbers of channels in the description.
        tensors: tensors of the same file.
        source: the file.

    Raises:
        CheckpointError: the description has too many channels.
    """
    widest = max((side for tensor in tensors.values() for side in tensor.shape), default=0)
    if (channels := max(widths, default=0)) > max(1024, widest):
        raise CheckpointError(
            f"{source}: the weights do not fit the network that their description names ({channels:,} channels, tensors of "
            f"{widest:,}); copy the file again"
        )


def detector_stages(project: Path) -> list[str]:
    """List the folders of a project that may hold its detectors, from the first to the last."""
    rounds = [number for path in project.glob(f"{TAUGHT}-*") if (number := round_number(path.name)) is not None]
    return ["detector", REFINED, *map(round_folder, sorted(rounds))]


def round_folder(number: int) -> str:
    """Name the folder of a round of self-training in a project. Rounds count from 1."""
    return f"{TAUGHT}-{number}"


def round_number(stage: str) -> int | None:
    """Return the number, from 1, of the round of self-training that a project folder's name states. None for other names."""
    number = stage.removeprefix(f"{TAUGHT}-")
    return int(number) if number.isdecimal() and stage == round_folder(int(number)) else None


def is_detector_stage(folder: Path) -> bool:
    """Tell whether a folder has the name of a detector's folder in a project."""
    return folder.name in detector_stages(folder.parent)


def find_weights(path: Path, kind: str) -> Path:
    """Find the weights file of `kind` at a path.

    Args:
        path: the weights file, its run folder, its project folder, a folder of `kpdetect pack`, or the name of a model that
            comes with the package (`kpdetect models`). Of a project's `detector_stages`, the chosen one is taken
            (`kpdetect.training.stage_choice`), without a choice the last one.
        kind: "generator" or "detector".

    Raises:
        CheckpointError: there is no such file.
    """
    stages = detector_stages(path) if kind == "detector" else [kind]
    packed = (shipped_folder(path) or path) / f"{kind}.safetensors"
    in_folder = [path / WEIGHTS, *in_order_of_use(path, {stage: path / stage / WEIGHTS for stage in stages}), packed]
    for candidate in [path] if path.is_file() else in_folder:
        if candidate.is_file():
            return candidate
    raise CheckpointError(
        f"{path}: no trained {kind} here; expected a model.safetensors, its run or project folder, or one of `kpdetect models`"
    )
