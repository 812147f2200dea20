"""The detector that a run on real images continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from kpdetect.checkpoints import find_weights, load_weights
from kpdetect.config import build_config
from kpdetect.detector.config import DetectorConfig
from kpdetect.errors import CheckpointError
from kpdetect.refine.config import RefineConfig

ALREADY = {"refine": "is refined already", "imm": "was trained by IMM, on real images alone"}
"""What is said of a detector that is no first stage, by the method that it was trained with."""


class FirstStage:
    """Weights of a detector, and what they say of themselves."""

    def __init__(self, weights: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
        self.weights, self.tensors, self.description = weights, tensors, description
        self.config = build_config(DetectorConfig, description["config"], source=str(weights))

    @classmethod
    def load(cls, model: Path) -> FirstStage:
        """Read it; of a project always the detector of the first stage, whether there is a refined one or not.

        Raises:
            CheckpointError: nothing there, or damaged, or trained on real images already.
        """
        first = model / "detector"
        weights = find_weights(first if first.is_dir() else model, "detector")
        tensors, description = load_weights(weights, "detector")
        if "refined" in description:
            method = description["refined"]["method"]
            raise CheckpointError(f"{weights}: {ALREADY[method]}; give a detector that was trained on pairs")
        return cls(weights, tensors, description)

    def apply(self, config: RefineConfig) -> RefineConfig:
        """The configuration with this detector's network, number of keypoints and crop policy."""
        fixed = {"model": self.config.model, "keypoints": self.description["keypoints"], "crop": self.description["crop"]}
        return config.model_copy(update=fixed)
