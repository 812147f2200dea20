"""Write a model as a folder to give to other people.

The folder holds the weights of a project's detector and generator, and a list of the real images that they were trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from kpdetect.data.derived_files import recorded, rewritten
from kpdetect.errors import CheckpointError, OutputError
from kpdetect.files.atomic import replacing
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import SOURCES, read_sources, write_sources
from kpdetect.inference.labels import labels_copied, labels_of
from kpdetect.inference.model_card import model_card
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.recalibration import measure_confidence
from kpdetect.training.checkpoints import (
    WEIGHTS,
    detector_stages,
    find_weights,
    load_weights,
    read_detector_description,
    save_weights,
)
from kpdetect.training.pretrained import pretrained_sentence
from kpdetect.training.stage_choice import current_choice

GENERATOR = "generator.safetensors"
LICENCE, CARD, PICTURE = "LICENSE", "README.md", "generated.jpg"
"""The licence of the weights, the model card, and the picture that the card may show. All lie in the folder of the weights."""
KIND = "model"
"""Name of the files of a packed model in the record of derived files."""


def pack_model(
    project: Path,
    out: Path,
    measured: Mapping[str, Any] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    behind: Sequence[Path] = (),
) -> list[Path]:
    """Write a model as a folder: weights, labels, `sources.csv`, licence and model card.

    The weights are `detector.safetensors` and, if there is a generator, `generator.safetensors`. They are stored in float16.
    For the models that come with this package, this moves keypoints by a few hundredths of a pixel on average. It changes
    generated images by less than 0.1 grey levels on average.

    Args:
        project: project folder, run folder or weights file of a detector.
        out: the folder to write. Commands accept it as a MODEL. The same model may be packed into it again.
        measured: entries that replace those in the description inside the detector's weights file.
        pictures: contents of further files to write, by the name of the file.
        behind: folders of training images or pairs. The real images that they were made from are added to `sources.csv`.

    A project with several detectors and without a card gets one that says which detector was chosen, and why.

    Returns:
        The weights files, then licence, model card and its picture.

    Raises:
        CheckpointError: there is no detector at `project`.
        OutputError: the folder cannot be written, or holds the weights, licence or card of another model, or a file of the
            name of a picture that no packing wrote.
    """
    weights = _weights(project)
    documents = _documents(weights.values())
    _require_same_model(out, weights, documents)
    make_folder(out)
    contents = {name: path.read_bytes() for name, path in documents.items()} | dict(pictures or {})
    rows = [row for folder in (*(path.parent for path in weights.values()), *behind) for row in read_sources(folder)]
    ours = known[KIND].files if KIND in (known := recorded(out)) else {}
    rows += [] if SOURCES in ours else read_sources(out)
    if CARD not in contents and (CARD in ours or not (out / CARD).exists()) and (card := _card(project, weights, out)):
        contents[CARD] = card
    files = [f"{kind}.safetensors" for kind in weights]
    names = [*files, *([SOURCES] if rows else []), *contents]
    unlisted = not ours and (out / files[0]).exists()  # version 0.1.0 kept no list
    with rewritten(out, KIND, names, earlier=names if unlisted else {*files, SOURCES, *documents}):
        if rows:
            write_sources(out, dict.fromkeys(rows))  # before the weights, which must not be without it
        with labels_copied(weights["detector"], out / "detector.safetensors"):
            for kind, path in weights.items():
                _save_halved(path, kind, out / f"{kind}.safetensors", (measured or {}) if kind == "detector" else {})
        for name, content in contents.items():
            with replacing(out / name) as target:
                target.write_bytes(content)
    return [*(out / name for name in files), *(out / name for name in contents if name in documents or name == CARD)]


def pack_calibrated(model: Path, pairs: Path, out: Path, device: str = "auto") -> dict[str, Any]:
    """Calibrate the confidence of a model again on given pairs, and pack the model; see `kpdetect.inference.recalibration`.

    Args:
        model: project folder, run folder or weights file of a detector, or the name of a model that comes with the package.
        pairs: folder of shards of image-keypoint pairs to measure on. The real images that they were made from are added to the
            packed model's `sources.csv`.
        out: folder for the packed model; it must differ from the model's folder.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The new entries of the description inside the detector's weights file.

    Raises:
        CheckpointError: there is no detector at `model`.
        InputError: the pairs do not fit the detector.
        OutputError: the folder cannot be written, or holds this model or another one.
    """
    weights = _weights(model)
    inside = [out.resolve(), *out.resolve().parents]
    taken = [weights["detector"].resolve().parent, pairs.resolve(), *([model.resolve()] if model.is_dir() else [])]
    if any(folder in inside for folder in taken):
        raise OutputError(f"{out}: this folder is, holds or lies in the folder of the model or the pairs; give another folder")
    _require_same_model(out, weights, _documents(weights.values()))  # before the measurement, which takes minutes
    predictor = Predictor.load(model, device)
    with TemporaryDirectory() as temporary:  # so that `out` stays untouched if the pairs do not fit
        measured = measure_confidence(predictor, pairs, Path(temporary))
        pictures = {picture.name: picture.read_bytes() for picture in Path(temporary).iterdir()}
    pack_model(model, out, measured, pictures, [pairs])
    return measured


def _weights(project: Path) -> dict[str, Path]:
    """Find the weights files of the detector and, if there is one, of the generator."""
    detector = find_weights(project, "detector")
    try:
        generator = find_weights(project, "generator")
    except CheckpointError:
        generator = detector
    return {"detector": detector} | ({} if generator == detector else {"generator": generator})


def _card(project: Path, weights: Mapping[str, Path], out: Path) -> bytes | None:
    """Write a model card for a project whose detector was chosen among several; None for other models."""
    choice = current_choice(project, {stage: project / stage / WEIGHTS for stage in detector_stages(project)})
    if choice is None:
        return None
    points = labels_of(weights["detector"]).skeleton(read_detector_description(weights["detector"]).keypoints)
    return model_card(out.resolve().name, points, choice, pretrained_sentence(project)).encode()


def _documents(weights: Iterable[Path]) -> dict[str, Path]:
    """Find licence, model card and its picture in the folders of the weights. The first folder takes precedence."""
    documents: dict[str, Path] = {}
    for folder in (path.parent for path in weights):
        names = [name for name in (LICENCE, CARD) if name not in documents and (folder / name).is_file()]
        documents |= {name: folder / name for name in names}
        if (
            CARD in names
            and f"({PICTURE})" in documents[CARD].read_text(encoding="utf-8", errors="replace")
            and (folder / PICTURE).is_file()
        ):
            documents[PICTURE] = folder / PICTURE
    return documents


def _require_same_model(out: Path, weights: Mapping[str, Path], documents: Mapping[str, Path]) -> None:
    """Check that a folder does not hold another model: other networks, or a licence or model card without a detector.

    Raises:
        OutputError: the folder holds another model.
    """
    for kind, source in weights.items():
        for there in (out / f"{kind}.safetensors", out / WEIGHTS):
            if there.exists() and not _same_network(there, source, kind):
                raise OutputError(
                    f"{there}: weights of another model ({file_hash(there)}); expected none, or those of {source} "
                    f"({file_hash(source)}); give another folder"
                )
    if "generator" not in weights and (out / GENERATOR).exists():
        raise OutputError(f"{out / GENERATOR}: this generator belongs to another model; give another folder")
    if (out / "detector.safetensors").exists():
        return  # the same model was packed here before; its licence and model card are replaced
    for name, source in documents.items():
        if (out / name).exists() and file_hash(out / name) != file_hash(source):
            raise OutputError(f"{out / name}: this file differs from {source} and would be overwritten; give another folder")


def _same_network(there: Path, source: Path, kind: str) -> bool:
    """Tell whether two weights files hold the same tensors after conversion to float16. Their descriptions may differ."""
    try:
        tensors = _load_halved(there, kind)[0]
    except CheckpointError:
        return False
    expected = _load_halved(source, kind)[0]
    return tensors.keys() == expected.keys() and all(
        tensors[name].dtype == expected[name].dtype and torch.equal(tensors[name], expected[name]) for name in tensors
    )


def _load_halved(weights: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, description = load_weights(weights, kind)
    return {name: _halved(value) for name, value in tensors.items()}, description


def _save_halved(weights: Path, kind: str, target: Path, measured: Mapping[str, Any]) -> None:
    halved, description = _load_halved(weights, kind)
    kept = {name: value for name, value in description.items() if name not in ("kind", "version")}
    save_weights(target, kind, halved, {**kept, **measured})


def _halved(tensor: Tensor) -> Tensor:
    """Convert a tensor to float16 if float16 can hold its values."""
    if tensor.dtype != torch.float32 or not bool((half := tensor.half()).isfinite().all()):
        return tensor
    return half
