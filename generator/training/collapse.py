"""Detection of collapsed runs. Their losses may still look smooth.

A run has collapsed if one of three signs lasts for many consecutive steps. The keypoints are the same in every image. All
images look the same. The discriminator's loss is zero, so the generator learns nothing.
`kpdetect.training.loop` checks that losses are finite.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from generator.config import CollapseConfig
from generator.model import Drawing

ADVICE = {
    "keypoint_motion": "the keypoints no longer move; try a larger `overrides=model.tau=...`, or another `seed`",
    "image_variation": "the images are all alike; try `overrides=optimiser.r1_weight=1`, or another `seed`",
    "loss_discriminator": (
        "the discriminator has won; try `overrides=optimiser.diffaugment=[colour,translation,cutout]` or a larger "
        "`overrides=optimiser.r1_weight=...`"
    ),
}
"""The fault behind a metric that is too low, and the remedy."""


def observed(drawing: Drawing) -> dict[str, Tensor]:
    """Measure a generated batch. The results are scalars, in normalised units of position or pixel values from -1 to 1."""
    keypoints, images = drawing.keypoints.detach(), drawing.image.detach().float()
    return {
        "keypoint_spread": keypoints.std(dim=1, correction=min(1, keypoints.shape[1] - 1)).mean(),  # within an image
        "keypoint_motion": keypoints.std(dim=0).mean(),  # of a keypoint between images
        "image_variation": images.std(dim=0).mean(),  # of a pixel between images
        "mask_area": drawing.mask.detach().float().mean(),
    }


class CollapseWatch:
    """A count of consecutive steps with each sign of collapse.

    Args:
        config: the thresholds and the patience.
        batch: number of images per step.
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
        """Check the metrics of a step. Return the fault if it has lasted for `config.patience` steps, else None."""
        if step * self.batch < self.config.after_images:
            return None
        for name, least in self.least.items():
            self.counts[name] = self.counts[name] + 1 if metrics[name] < least else 0
            if self.counts[name] >= self.config.patience:
                return ADVICE[name]
        return None

    @property
    def suspicious(self) -> bool:
        """Whether a sign has lasted for over a tenth of the patience; then no checkpoint may be saved."""
        return any(count > self.config.patience // 10 for count in self.counts.values())

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return dict(self.counts)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.counts = {name: int(state[name]) for name in self.least}
