"""A model to give away: the weights of a project's detector and generator, with their record of real images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from kpdetect.data.derived import recorded, rewritten
from kpdetect.errors import CheckpointError, OutputError
from kpdetect.files.atomic import replacing
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import SOURCES, read_sources, write_sources
from kpdetect.inference.labels import labels_copied
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.recalibration import measure_confidence
from kpdetect.training.checkpoints import WEIGHTS, find_weights, load_weights, save_weights

GENERATOR = "generator.safetensors"
LICENCE, CARD, PICTURE = "LICENSE", "README.md", "generated.jpg"
"""Terms of the weights, what is said of the model, and the picture that the card may show; all beside the weights."""
KIND = "model"
"""What the files of a packed model are called in the record of derived files."""


def pack_model(
    project: Path,
    out: Path,
    measured: Mapping[str, Any] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    behind: Sequence[Path] = (),
) -> list[Path]:
    """Write `detector.safetensors`, where there is a generator `generator.safetensors`, their labels and `sources.csv`,
    and the terms and the card that lie beside the weights.

    Weights are stored in float16, which moves keypoints by a few hundredths of a pixel and changes drawn pictures by less than
    0.1 grey levels, on average (measured on models of this package).

    Args:
        project: project folder, run folder or weights file of a detector.
        out: the folder; commands take it as a MODEL. The same model may be packed into it again.
        measured: what the detector says of itself from now on, instead of what it said.
        pictures: contents of further files, by name.
        behind: folders whose records of real images are added.

    Returns:
        The files of weights, then terms, card and picture.

    Raises:
        CheckpointError: no detector there.
        OutputError: the folder cannot be written, or holds another model's weights, terms or card.
    """
    weights = _weights(project)
    told = _told(weights.values())
    _require_own(out, weights, told)
    make_folder(out)
    contents = {name: path.read_bytes() for name, path in told.items()} | dict(pictures or {})
    rows = [row for folder in (*(path.parent for path in weights.values()), *behind) for row in read_sources(folder)]
    ours = KIND in (known := recorded(out)) and SOURCES in known[KIND].files
    rows += [] if ours else read_sources(out)
    files = [f"{kind}.safetensors" for kind in weights]
    with rewritten(out, KIND, [*files, *([SOURCES] if rows else []), *contents]):
        if rows:
            write_sources(out, dict.fromkeys(rows))  # no weights without their record
        with labels_copied(weights["detector"], out / "detector.safetensors"):
            for kind, path in weights.items():
                _save_halved(path, kind, out / f"{kind}.safetensors", (measured or {}) if kind == "detector" else {})
        for name, content in contents.items():
            with replacing(out / name) as target:
                target.write_bytes(content)
    return [*(out / name for name in files), *(out / name for name in told)]


def pack_calibrated(model: Path, pairs: Path, out: Path, device: str = "auto") -> dict[str, Any]:
    """Pack a model whose confidence is measured on other pairs; see `kpdetect.inference.recalibration`.

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
        OutputError: the folder cannot be written, or holds the model, or another one.
    """
    weights = _weights(model)
    inside = [out.resolve(), *out.resolve().parents]
    taken = [weights["detector"].resolve().parent, pairs.resolve(), *([model.resolve()] if model.is_dir() else [])]
    if any(folder in inside for folder in taken):
        raise OutputError(f"{out}: holds the model or the pairs, or lies among them; give another folder")
    _require_own(out, weights, _told(weights.values()))  # before minutes of measuring
    predictor = Predictor.load(model, device)
    with TemporaryDirectory() as temporary:  # nothing is made of pairs that do not fit
        measured = measure_confidence(predictor, pairs, Path(temporary))
        pictures = {picture.name: picture.read_bytes() for picture in Path(temporary).iterdir()}
    pack_model(model, out, measured, pictures, [pairs])
    return measured


def _weights(project: Path) -> dict[str, Path]:
    """Files of its detector and its generator; the first alone where a run folder, or a file, holds no more."""
    detector = find_weights(project, "detector")
    try:
        generator = find_weights(project, "generator")
    except CheckpointError:
        generator = detector
    return {"detector": detector} | ({} if generator == detector else {"generator": generator})


def _told(weights: Iterable[Path]) -> dict[str, Path]:
    """Terms, card and its picture by name, where they lie beside the weights; the first weights' go first."""
    found: dict[str, Path] = {}
    for folder in (path.parent for path in weights):
        names = [name for name in (LICENCE, CARD) if name not in found and (folder / name).is_file()]
        found |= {name: folder / name for name in names}
        if (
            CARD in names
            and f"({PICTURE})" in found[CARD].read_text(encoding="utf-8", errors="replace")
            and (folder / PICTURE).is_file()
        ):
            found[PICTURE] = folder / PICTURE
    return found


def _require_own(out: Path, weights: Mapping[str, Path], told: Mapping[str, Path]) -> None:
    """Refuse a folder that holds another model: other networks, or terms or a card without a detector.

    Raises:
        OutputError: it does.
    """
    for kind, own in weights.items():
        for there in (out / f"{kind}.safetensors", out / WEIGHTS):
            if there.exists() and not _same_network(there, own, kind):
                raise OutputError(
                    f"{there}: weights of another model ({file_hash(there)}); expected none, or those of {own} "
                    f"({file_hash(own)}); give another folder"
                )
    if "generator" not in weights and (out / GENERATOR).exists():
        raise OutputError(f"{out / GENERATOR}: belongs to another model; give another folder")
    if (out / "detector.safetensors").exists():
        return  # packed before: its terms and card are brought up to date
    for name, own in told.items():
        if (out / name).exists() and file_hash(out / name) != file_hash(own):
            raise OutputError(f"{out / name}: is not that of {own.parent}, which it would be replaced by; give another folder")


def _same_network(there: Path, own: Path, kind: str) -> bool:
    """Whether two files hold the same tensors, in float16; what they say of themselves may differ."""
    try:
        found = _load_halved(there, kind)[0]
    except CheckpointError:
        return False
    expected = _load_halved(own, kind)[0]
    return found.keys() == expected.keys() and all(
        found[name].dtype == expected[name].dtype and torch.equal(found[name], expected[name]) for name in found
    )


def _load_halved(weights: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, description = load_weights(weights, kind)
    return {name: _halved(value) for name, value in tensors.items()}, description


def _save_halved(weights: Path, kind: str, target: Path, measured: Mapping[str, Any]) -> None:
    halved, description = _load_halved(weights, kind)
    told = {name: value for name, value in description.items() if name not in ("kind", "version")}
    save_weights(target, kind, halved, {**told, **measured})


def _halved(tensor: Tensor) -> Tensor:
    """In float16, where that can hold the values."""
    if tensor.dtype != torch.float32 or not bool((half := tensor.half()).isfinite().all()):
        return tensor
    return half
