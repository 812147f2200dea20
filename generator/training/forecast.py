"""The number of images that a training of the generator will see on this machine, with advice if it is too small."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

MASK_IMAGES, KEYPOINT_IMAGES = 15_000, 100_000
"""Images after which the mask of `tiny` at 64 pixels usually looks like the object, and keypoints keep to their parts."""


@dataclass(frozen=True)
class Forecast:
    """The expected course of a run.

    Attributes:
        rate: images per second.
        seen: images seen so far, over all continuations.
        limit: most images of the run, over all continuations.
        seconds_used: training time used already.
        seconds_left: training time left; None if only `limit` ends the run.
    """

    rate: float
    seen: int
    limit: int
    seconds_used: float = 0.0
    seconds_left: float | None = None

    @property
    def images(self) -> int:
        """Images that the generator will have seen at the end."""
        if self.seconds_left is None:
            return self.limit
        return min(self.limit, self.seen + int(self.rate * self.seconds_left))

    @property
    def seconds(self) -> float:
        """Training time at the end, in seconds."""
        return max(0, self.images - self.seen) / self.rate

    def minutes_for(self, images: int) -> float:
        """Return the minutes of training, including past ones, until the generator has seen a number of images."""
        return (self.seconds_used + max(0, images - self.seen) / self.rate) / 60


def forecast_lines(forecast: Forecast, share: float = 1.0) -> list[tuple[int, str]]:
    """Describe the forecast, with a warning if the images are too few; each line with its `logging` level.

    Args:
        forecast: the forecast.
        share: the generator's share of the user's minutes.
    """
    images, minutes = _rounded(forecast.images), forecast.seconds / 60
    expected = (
        f"this machine trains the generator on {forecast.rate:.1f} images a second: in {_duration(minutes)} "
        f"it has seen about {images:,} images"
    )
    lines = [(logging.INFO, expected)]
    if forecast.images >= KEYPOINT_IMAGES:
        return lines
    needed = (
        f"the mask needs about {MASK_IMAGES:,} images to look like the object"
        if forecast.images < MASK_IMAGES
        else f"keypoints need about {KEYPOINT_IMAGES:,} images to keep to their parts"
    )
    return [*lines, (logging.WARNING, f"these are few images: {needed}; {_advice(forecast, share)}")]


def _advice(forecast: Forecast, share: float) -> str:
    if forecast.seconds_left is None or forecast.images == forecast.limit:
        return "give the generator more steps or images; the same command continues"
    whole = 5 * math.ceil(forecast.minutes_for(KEYPOINT_IMAGES) / share / 5)
    return f"give --minutes {whole} (the same command continues), smaller images (--size 32), or a faster machine"


def _rounded(images: int) -> int:
    """Round to two significant digits."""
    digits = max(0, len(str(images)) - 2)
    return int(round(images, -digits))


def _duration(minutes: float) -> str:
    if minutes < 1:
        return f"{60 * minutes:.0f} seconds"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
