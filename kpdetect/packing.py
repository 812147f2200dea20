"""A model to give away: the weights of a project's detector and generator, with their record of real images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from kpdetect.checkpoints import find_weights, load_weights, save_weights
from kpdetect.errors import CheckpointError, OutputError
from kpdetect.files import make_folder, merge_sources, replacing
from kpdetect.inference.confidence import measure_confidence
from kpdetect.inference.labels import LABELS, copy_labels
from kpdetect.inference.predictor import Predictor

GENERATOR = "generator.safetensors"


def pack_model(project: Path, out: Path, measured: Mapping[str, Any] | None = None) -> list[Path]:
    """Write `detector.safetensors`, where there is a generator `generator.safetensors`, their labels and `sources.csv`.

    Weights are stored in float16, which moves keypoints by a few hundredths of a pixel and changes drawn pictures by less than
    0.1 grey levels, on average (measured on models of this package).

    Args:
        project: project folder, run folder or weights file of a detector.
        out: the folder; commands take it as a MODEL.
        measured: what the detector says of itself from now on, instead of what it said.

    Returns:
        The files of weights.

    Raises:
        CheckpointError: no detector there.
        OutputError: the folder cannot be written, or holds another model's generator.
    """
    detector, generator = find_weights(project, "detector"), _generator(project)
    files = [out / "detector.safetensors"]
    if generator is None and (out / GENERATOR).exists():
        raise OutputError(f"{out / GENERATOR}: belongs to another model; give another folder")
    make_folder(out)
    _save_halved(detector, "detector", files[0], measured or {})
    merge_sources(out, detector.parent)
    if (detector.parent / LABELS).is_file():
        copy_labels(detector, files[0])
    if generator is None:
        return files
    files.append(out / GENERATOR)
    _save_halved(generator, "generator", files[1], {})
    merge_sources(out, generator.parent)
    return files


def pack_calibrated(model: Path, pairs: Path, out: Path, device: str = "auto") -> dict[str, Any]:
    """Pack a model whose confidence is measured on other pairs; see `kpdetect.inference.confidence`.

    Args:
        model: project folder, run folder or weights file of a detector, or the name of a model of the package.
        pairs: what to measure on; the real images behind them go on the packed model's record.
        out: another folder than the model's.
        device: where to compute.

    Returns:
        What was measured.

    Raises:
        CheckpointError: no detector there.
        InputError: the pairs do not fit the detector.
        OutputError: the folder cannot be written, or holds the model.
    """
    weights = find_weights(model, "detector")
    inside = [out.resolve(), *out.resolve().parents]
    taken = [weights.resolve().parent, pairs.resolve(), *([model.resolve()] if model.is_dir() else [])]
    if any(folder in inside for folder in taken):
        raise OutputError(f"{out}: holds the model or the pairs, or lies among them; give another folder")
    predictor = Predictor.load(model, device)
    with TemporaryDirectory() as temporary:  # nothing is made of pairs that do not fit
        measured = measure_confidence(predictor, pairs, Path(temporary))
        pack_model(model, out, measured)
        for picture in Path(temporary).iterdir():
            with replacing(out / picture.name) as target:
                target.write_bytes(picture.read_bytes())
    merge_sources(out, pairs)
    return measured


def _generator(project: Path) -> Path | None:
    """Its weights; none where a run folder, or a file, holds a detector alone."""
    try:
        generator = find_weights(project, "generator")
    except CheckpointError:
        return None
    return None if generator == find_weights(project, "detector") else generator


def _save_halved(weights: Path, kind: str, target: Path, measured: Mapping[str, Any]) -> None:
    tensors, description = load_weights(weights, kind)
    halved = {name: _halved(value) for name, value in tensors.items()}
    told = {name: value for name, value in description.items() if name not in ("kind", "version")}
    save_weights(target, kind, halved, {**told, **measured})


def _halved(tensor: Tensor) -> Tensor:
    """In float16, where that can hold the values."""
    if tensor.dtype != torch.float32 or not bool((half := tensor.half()).isfinite().all()):
        return tensor
    return half
