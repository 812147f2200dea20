"""A run that has failed: its losses would go on looking smooth, and hours would be lost.

Signs, each judged over many steps in a row: keypoints are the same in every image; images are all alike; the discriminator's
loss is zero, so that the generator learns nothing more. (`kpdetect.training.loop` sees at once that a loss is not finite.)
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from generator.config import CollapseConfig
from generator.model import Drawing

ADVICE = {
    "keypoint_motion": "the keypoints no longer move; try a larger --set model.tau, or another --seed",
    "image_variation": "the images are all alike; try --set optimiser.r1_weight=1, or another --seed",
    "loss_discriminator": (
        "the discriminator has won; try --set optimiser.diffaugment=[colour,translation,cutout] or a larger "
        "--set optimiser.r1_weight"
    ),
}
"""What is wrong when a metric is too low, and what to do."""


def observed(drawing: Drawing) -> dict[str, Tensor]:
    """What a batch of drawings shows, each a scalar: keypoints in normalised units, pixels of the range from -1 to 1."""
    keypoints, images = drawing.keypoints.detach(), drawing.image.detach().float()
    return {
        "keypoint_spread": keypoints.std(dim=1, correction=min(1, keypoints.shape[1] - 1)).mean(),  # within an image
        "keypoint_motion": keypoints.std(dim=0).mean(),  # of a keypoint between images
        "image_variation": images.std(dim=0).mean(),  # of a pixel between images
        "mask_area": drawing.mask.detach().float().mean(),
    }


class CollapseWatch:
    """Counts, for each sign, the steps in a row that show it.

    Args:
        config: thresholds.
        batch: images per step.
    """

    def __init__(self, config: CollapseConfig, batch: int) -> None:
        self.config, self.batch = config, batch
        self.least = {
            "keypoint_motion": config.least_motion,
            "image_variation": config.least_variation,
            "loss_discriminator": config.least_discriminator_loss,
        }
        self.counts = dict.fromkeys(self.least, 0)

    def look(self, step: int, metrics: dict[str, float]) -> str | None:
        """Take note of a step; what is wrong, once it has been so for long enough."""
        if step * self.batch < self.config.after_images:
            return None
        for name, least in self.least.items():
            self.counts[name] = self.counts[name] + 1 if metrics[name] < least else 0
            if self.counts[name] >= self.config.patience:
                return ADVICE[name]
        return None

    @property
    def suspicious(self) -> bool:
        """Whether something has been wrong for a while: no state to keep as the last good one."""
        return any(count > self.config.patience // 10 for count in self.counts.values())

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return dict(self.counts)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.counts = {name: int(state[name]) for name in self.least}
