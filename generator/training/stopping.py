"""Early stopping: measure the distance between generated and real images during training and keep the best weights.

The LatentKeypointGAN paper (He et al. 2021, appendix G) stops training early at its highest resolution, because the generated
images get worse late in training. The caller passes the function that measures the distance. Training therefore does not depend
on the packages of the feature networks that the distance may use.
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
from generator.sample_sheet import to_uint8
from generator.training.batches import RealBatches

Images = NDArray[np.uint8]
"""Images uint8 RGB [images, height, width, 3]."""
DistanceTo = Callable[[Images], Callable[[Images], float]]
"""A function from real images to a function that measures the distance of generated images to them."""
BATCH = 64
STATE = ("best", "best_step", "waited", "weights")
"""The state of a `DistanceWatch` in a checkpoint."""


class DistanceWatch:
    """The best weights so far, and the number of measurements since then.

    Args:
        config: the interval and the patience.
        distance_to: builds the function that measures the distance, from real images.
        batches: the real images, cropped as in training.
        seed: seed of the generated images, the same at each measurement.

    Attributes:
        best: the least distance; it was measured at step `best_step`.
        weights: the network's weights at that step; empty before the first measurement.
    """

    def __init__(self, config: StoppingConfig, distance_to: DistanceTo, batches: RealBatches, seed: int) -> None:
        self.config, self.distance_to, self.seed = config, distance_to, seed
        self.batches = copy.copy(batches)  # another thread uses the original
        self.distance: Callable[[Images], float] | None = None
        self.best, self.best_step, self.waited = float("inf"), 0, 0
        self.weights: dict[str, Tensor] = {}

    @property
    def exhausted(self) -> bool:
        """Whether the patience is used up."""
        return self.waited >= self.config.patience

    def ending(self) -> str:
        """Describe why the run stopped."""
        return (
            f"stopped early: the distance was least at step {self.best_step:,} ({self.best:.4g}), whose weights are kept; "
            f"{self.waited} measurements since were not better"
        )

    def look(self, step: int, network: Generator) -> float:
        """Measure and return the distance of a network, which must be in evaluation mode with statistics of its weights."""
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
        device, width, drawn = next(network.parameters()).device, network.config.noise_width, []
        for start in range(0, self.config.images, BATCH):
            latents = latents_of(self.seed, start, min(start + BATCH, self.config.images), width)
            drawn.append(to_uint8(network(latents.to(device)).image))
        return np.concatenate(drawn)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        weights = state["weights"]
        if not isinstance(weights, dict) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
            raise ValueError("the best weights are not tensors")
        self.best, self.best_step, self.waited = float(state["best"]), int(state["best_step"]), int(state["waited"])
        self.weights = weights
