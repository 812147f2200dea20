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


class FirstStage:
    """Weights of a detector, and what they say of themselves."""

    def __init__(self, weights: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
        self.weights, self.tensors, self.description = weights, tensors, description
        self.config = build_config(DetectorConfig, description["config"], source=str(weights))

    @classmethod
    def load(cls, model: Path) -> FirstStage:
        """Read it; of a project always the detector of the first stage, whether there is a refined one or not.

        A weights file, a run folder or a model of the package may be refined already: it goes on from there.

        Raises:
            CheckpointError: nothing there, or damaged, or trained by IMM, which is a method of its own.
        """
        first = model / "detector"
        weights = find_weights(first if first.is_dir() else model, "detector")
        tensors, description = load_weights(weights, "detector")
        if description.get("refined", {}).get("method") == "imm":
            raise CheckpointError(
                f"{weights}: was trained by IMM, on real images alone; give a detector that was trained on pairs"
            )
        return cls(weights, tensors, description)

    @property
    def refined_before(self) -> list[dict[str, Any]]:
        """What it has seen of real images so far: one entry per run, the oldest first."""
        if "refined" not in self.description:
            return []
        run = {
            name: self.description.get(name) for name in ("refined", "first_stage", "training_images", "images_seen", "minutes")
        }
        return [*self.description.get("refined_before", []), run]

    def apply(self, config: RefineConfig) -> RefineConfig:
        """The configuration with this detector's network, number of keypoints and crop policy."""
        fixed = {"model": self.config.model, "keypoints": self.description["keypoints"], "crop": self.description["crop"]}
        return config.model_copy(update=fixed)
