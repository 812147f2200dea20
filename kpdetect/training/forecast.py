"""Describe, in sentences, the time, memory and disk that a training needs on this machine, with warnings.

Only this module holds the numbers of images that a training needs to see.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple


class Guidance(NamedTuple):
    """How many images a network needs to see in training, by measurements (docs/log/any-folder.md).

    Attributes:
        network: name of the network.
        fewest: with fewer images than this, the result is clearly worse.
        plenty: more images than this gained little in the network itself, as far as was measured.
        beyond: what more images than `plenty` gained in measurements, a clause.
        risk: what happens with fewer images than `fewest`, a clause.
        faster: a change that makes the training faster.
    """

    network: str
    fewest: int
    plenty: int
    beyond: str
    risk: str
    faster: str


GENERATOR = Guidance(
    "generator",
    16_000,
    24_000,
    "did not improve the first detector",
    "the mask often misses parts of the object, and keypoints share one spot",
    "smaller images (`size=32` is coarser, and about twice as fast as 64)",
)
"""Hands at 64 px, cartoon faces at 32 px, with `tiny` or narrower networks. On hands, the first detectors of generators that
saw 24,000 and 56,000 images have about the same error."""
DETECTOR = Guidance(
    "detector",
    5_000,
    10_000,
    "gained little",
    "the keypoints are imprecise",
    "a smaller input (`overrides=model.input_size=64`)",
)
"""The first detector, trained on pairs: hands and cartoon faces, an input of 64 px, the head `pyramid`."""
MATCHED_DETECTOR = Guidance(
    "detector",
    6_000,
    12_000,
    "gained little",
    "wrong matches are often not corrected",
    "a smaller input (`overrides=model.input_size=64`)",
)
"""The first detector, trained on matched clusters in batches of 16, with an input of 128 px: hands and flies, 6,400 and 12,800
images."""
GUIDANCE: Mapping[str, Guidance] = {"generator": GENERATOR}
"""The guidance for each kind of training that has one."""
MEMORY_SHARE = 0.9
"""A warning is given if a training needs more than this share of the memory."""
Line = tuple[int, str]
"""A `logging` level, and a sentence."""


class Needs(NamedTuple):
    """Memory and disk that a training needs, in bytes.

    Attributes:
        memory: largest memory that is used at one time.
        memory_there: memory of the GPU or of the machine; None if the system does not tell it.
        disk: size of the files that are still to be written.
        disk_there: free space on the disk that they are written to.
        gpu: whether `memory` and `memory_there` are memory of a GPU.
        batch: name of the setting that holds the number of images per step.
    """

    memory: int
    memory_there: int | None
    disk: int
    disk_there: int
    gpu: bool = False
    batch: str = "batch"


@dataclass(frozen=True)
class Forecast:
    """The expected speed and length of a run. Numbers of images count repeated images and earlier calls that trained the run.

    Attributes:
        rate: images per second.
        seen: number of images shown in training so far.
        limit: number of images after which the run ends.
        seconds_used: training time so far, in seconds.
        seconds_left: remaining training time in seconds; None if only `limit` ends the run.
        stage: what is trained, for example `generator`.
    """

    rate: float
    seen: int
    limit: int
    seconds_used: float = 0.0
    seconds_left: float | None = None
    stage: str = "generator"

    @property
    def images(self) -> int:
        """Number of images that the network will have seen at the end of the run."""
        if self.seconds_left is None:
            return max(self.seen, self.limit)
        return max(self.seen, min(self.limit, self.seen + int(self.rate * self.seconds_left)))

    def within(self, minutes: float | None) -> Forecast:
        """Return the forecast if the run has at most these minutes of training, counting earlier calls."""
        if minutes is None:
            return self
        left = max(0.0, 60 * minutes - self.seconds_used)
        return replace(self, seconds_left=left if self.seconds_left is None else min(left, self.seconds_left))

    @property
    def seconds(self) -> float:
        """Remaining training time in seconds."""
        return max(0, self.images - self.seen) / self.rate

    def minutes_for(self, images: int) -> float:
        """Return the minutes of training, including those so far, until the network has seen this number of images."""
        return (self.seconds_used + max(0, images - self.seen) / self.rate) / 60


def forecast_lines(forecast: Forecast, share: float = 1.0) -> list[Line]:
    """Describe a forecast in lines, each with its `logging` level. Say whether the network will see enough images.

    Args:
        forecast: the forecast.
        share: share of the user's minutes that this training gets, if the minutes are divided among several trainings.
    """
    guidance = GUIDANCE.get(forecast.stage)
    return [speed_line(forecast), *([] if guidance is None else outlook_lines(forecast, guidance, share))]


def speed_line(forecast: Forecast) -> Line:
    """Say how fast this machine trains the network, and how far it gets."""
    return logging.INFO, (
        f"this machine trains the {forecast.stage} on {forecast.rate:.1f} images a second: in {duration(forecast.seconds)} "
        f"it has seen about {rounded(forecast.images):,} images"
    )


def outlook_lines(forecast: Forecast, guidance: Guidance, share: float = 1.0) -> list[Line]:
    """Say what a network becomes with the images that it will see. Warn, with advice, if they are few."""
    few, plenty = guidance.fewest, guidance.plenty
    seen = f"about {rounded(forecast.images):,} images are"
    if forecast.images < few:
        risk = f"with fewer than {few:,}, {guidance.risk}"
        return [(logging.WARNING, f"{seen} few for the {guidance.network}: {risk}; {_advice(forecast, guidance, share)}")]
    enough = "enough" if forecast.images < plenty else "plenty"
    measured = f"in measurements, more than {plenty:,} {guidance.beyond}"
    return [(logging.INFO, f"{seen} {enough} for the {guidance.network}: {measured}")]


def needs_lines(needs: Needs) -> list[Line]:
    """Describe the memory and the disk that a training needs, with a warning if there is too little."""
    there = "" if needs.memory_there is None else f" (there are {size(needs.memory_there)})"
    memory = f"{size(needs.memory)} of {'GPU ' * needs.gpu}memory{there}"
    said = f"it needs about {memory} and writes about {size(needs.disk)} to disk ({size(needs.disk_there)} are free)"
    lines = [(logging.INFO, said)]
    if needs.memory_there is not None and needs.memory > MEMORY_SHARE * needs.memory_there:
        advice = f"give a smaller `overrides={needs.batch}=...`, or close other programs"
        lines.append((logging.WARNING, f"the memory may not suffice; {advice}"))
    if needs.disk > needs.disk_there:
        lines.append((logging.WARNING, "the disk is too small; free some space, or give an `out` on another disk"))
    return lines


def _advice(forecast: Forecast, guidance: Guidance, share: float) -> str:
    if forecast.seconds_left is None or forecast.images == forecast.limit:
        steps = f"give the {guidance.network} more steps (`overrides=steps=...`)"
        return f"{steps} until it sees {guidance.plenty:,} images; the same command continues"
    minutes = forecast.minutes_for(guidance.plenty) / share
    unit = 5 if minutes < 120 else 60
    whole = unit * math.ceil(minutes / unit)
    hours = f" ({whole // 60} hours)" if unit == 60 else ""
    more = f"`minutes={whole}`{hours} for {guidance.plenty:,} images (the same command continues)"
    return f"give {more}, {guidance.faster}, or use a faster machine"


def rounded(images: int) -> int:
    """Round to two significant digits."""
    digits = max(0, len(str(images)) - 2)
    return int(round(images, -digits))


def duration(seconds: float) -> str:
    """Write a time in seconds, minutes or hours."""
    minutes = seconds / 60
    if minutes < 1:
        return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"
    if minutes < 1.5:
        return "1 minute"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def size(count: float) -> str:
    """Write a number of bytes in MiB or GiB."""
    return f"{max(1, count / 2**20):,.0f} MiB" if count < 2**30 else f"{count / 2**30:,.1f} GiB"
