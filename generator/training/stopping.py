"""Early stopping: the distance of drawn to real images is measured during training, and the best weights are kept.

The paper's images got worse late in training at its highest resolution, and so it stopped early there (appendix G). What the
distance is measured in is handed in: feature networks belong to packages that training needs to do without.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator.config import StoppingConfig
from generator.keypoints import latents_of
from generator.model import Generator
from generator.sheet import to_uint8
from generator.training.batches import RealBatches

Images = NDArray[np.uint8]
"""RGB [images, height, width, 3]."""
DistanceTo = Callable[[Images], Callable[[Images], float]]
"""From real images to a function that gives the distance of drawn images to them."""
BATCH = 64
STATE = ("best", "best_step", "waited", "weights")
"""What checkpoints hold of a watch."""


class DistanceWatch:
    """The best weights so far, and for how many measurements there were none better.

    Args:
        config: how often and how patiently.
        distance_to: what is measured.
        batches: real images as training sees them.
        seed: of the drawn images, the same at each measurement.

    Attributes:
        best: the least one, of step `best_step`.
        weights: the network's of that step; none before the first measurement.
    """

    def __init__(self, config: StoppingConfig, distance_to: DistanceTo, batches: RealBatches, seed: int) -> None:
        self.config, self.distance_to, self.seed = config, distance_to, seed
        self.batches = copy.copy(batches)  # the original is busy in another thread
        self.distance: Callable[[Images], float] | None = None
        self.best, self.best_step, self.waited = float("inf"), 0, 0
        self.weights: dict[str, Tensor] = {}

    @property
    def exhausted(self) -> bool:
        """Whether patience is at an end."""
        return self.waited >= self.config.patience

    def ending(self) -> str:
        """Why the run has ended, in words."""
        return (
            f"stopped early: the distance was least at step {self.best_step:,} ({self.best:.4g}), whose weights are kept; "
            f"{self.waited} measurements since were not better"
        )

    def look(self, step: int, network: Generator) -> float:
        """Measure a network in evaluation mode, whose statistics are its own; returns its distance."""
        if self.distance is None:
            self.distance = self.distance_to(self._real())
        distance = self.distance(self._drawn(network))
        if distance < self.best:
            self.best, self.best_step, self.waited = distance, step, 0
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
        else:
            self.waited += 1
        return distance

    def _real(self) -> Images:
        blocks: list[Images] = []
        while sum(map(len, blocks)) < self.config.images:
            blocks.append(to_uint8(self.batches.at(len(blocks))))
        return np.concatenate(blocks)[: self.config.images]

    @torch.no_grad()
    def _drawn(self, network: Generator) -> Images:
        device, width, found = next(network.parameters()).device, network.config.noise_width, []
        for start in range(0, self.config.images, BATCH):
            latents = latents_of(self.seed, start, min(start + BATCH, self.config.images), width)
            found.append(to_uint8(network(latents.to(device)).image))
        return np.concatenate(found)

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        weights = state["weights"]
        if not isinstance(weights, dict) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
            raise ValueError("the best weights are no tensors")
        self.best, self.best_step, self.waited = float(state["best"]), int(state["best_step"]), int(state["waited"])
        self.weights = weights
