"""A model to give away: the weights of a project's detector and generator, with their record of real images."""

from __future__ import annotations

from pathlib import Path

import torch

from kpdetect.checkpoints import find_weights, load_weights, save_weights
from kpdetect.errors import CheckpointError
from kpdetect.files import make_folder, merge_sources, write_text
from kpdetect.inference.labels import LABELS


def pack_model(project: Path, out: Path) -> list[Path]:
    """Write `detector.safetensors` (float16, which changes keypoints by less than a thousandth of a pixel's side), the
    generator's weights as they are where there are any, their labels and `sources.csv` into a folder.

    Args:
        project: project folder, run folder or weights file of a detector.
        out: the folder; commands take it as a MODEL.

    Returns:
        The files of weights.

    Raises:
        CheckpointError: no detector there.
        OutputError: the folder cannot be written.
    """
    detector = find_weights(project, "detector")
    make_folder(out)
    files = [out / "detector.safetensors"]
    tensors, description = load_weights(detector, "detector")
    halved = {name: value.half() if value.dtype == torch.float32 else value for name, value in tensors.items()}
    save_weights(files[0], "detector", halved, _rest(description))
    merge_sources(out, detector.parent)
    labels = detector.parent / LABELS
    if labels.is_file():
        write_text(out / LABELS, labels.read_text(encoding="utf-8"))
    try:
        generator = find_weights(project, "generator")
    except CheckpointError:
        return files
    files.append(out / "generator.safetensors")
    tensors, description = load_weights(generator, "generator")
    save_weights(files[1], "generator", tensors, _rest(description))
    merge_sources(out, generator.parent)
    return files


def _rest(description: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in description.items() if name not in ("kind", "version")}
