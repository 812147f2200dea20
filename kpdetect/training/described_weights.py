"""Read the tensors of a weights file together with its description, as a typed record."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from kpdetect.training.checkpoints import load_weights
from kpdetect.training.model_description import KINDS, Kind, described


def load_described(path: Path, kind: type[Kind]) -> tuple[dict[str, Tensor], Kind]:
    """Read the tensors and the description of a weights file.

    Args:
        path: the weights file.
        kind: type of the description: `GeneratorDescription` or `DetectorDescription`.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind or version, or holds values that are not numbers.
    """
    name = next(name for name, record in KINDS.items() if record is kind)
    tensors, content = load_weights(path, name)
    return tensors, described(kind, json.dumps(content), path)
