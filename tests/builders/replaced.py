"""Files of a project that another command replaces while the studio is open."""

from __future__ import annotations

import json
from pathlib import Path

from kpdetect.files.hashes import file_hash
from kpdetect.inference.prediction_record import RECORD
from kpdetect.training.checkpoints import load_weights, save_weights


def replace_weights(project: Path) -> str:
    """Write another detector into a project, whose keypoints are exchanged. Return the hash of its weights."""
    weights = project / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    last = [name for name in tensors if tensors[name].ndim and tensors[name].shape[0] == description["keypoints"]]
    save_weights(weights, "detector", {**tensors, **{name: tensors[name].flip(0) for name in last}}, description)
    return file_hash(weights)


def replace_predictions(folder: Path, **changes: object) -> None:
    """Write another record of predictions. Images that `sizes` does not list are left out of the table, too."""
    record = json.loads((folder / RECORD).read_text()) | changes
    head, *lines = (folder / "predictions.csv").read_text().splitlines()
    kept = [line for line in lines if line.split(",")[0] in record["sizes"]]
    (folder / "predictions.csv").write_text("\n".join([head, *kept]) + "\n")
    (folder / RECORD).write_text(json.dumps(record))
