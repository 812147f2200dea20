"""The table of a prediction whose finished parts are files. Only one part is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.inference.image_parts import Parts
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton

Skipped = dict[str, str]
"""Why inputs were skipped, by their names."""


@dataclass(kw_only=True)
class Outcome:
    """What a prediction gave.

    Attributes:
        count: number of predicted images or frames.
        doubtful: number of those whose mean confidence is below half of the usual one.
        skipped: why inputs were skipped.
    """

    count: int = 0
    doubtful: int = 0
    skipped: Skipped = field(default_factory=dict)

    def add(self, confidence: NDArray[np.float32], usual: float | None) -> None:
        """Add images or frames.

        Args:
            confidence: [images, K].
            usual: the detector's usual mean confidence; None: it is unknown, and nothing is doubtful.
        """
        self.count += len(confidence)
        if usual is not None:
            self.doubtful += int((confidence.round(4).mean(axis=1) < usual / 2).sum())


class NoneReadableError(InputError):
    """No image can be read. `skipped` says for each image, by its name, why it cannot be read."""

    def __init__(self, message: str, skipped: Skipped) -> None:
        super().__init__(message)
        self.skipped = skipped


class PartsTable:
    """The results of all images.

    Args:
        parts: the finished parts.
        names: names of all images of the prediction.
        skeleton: see `Predictions`.
        usual: the detector's usual mean confidence.

    Attributes:
        outcome: the numbers of predicted and doubtful images, and why images were skipped.

    Raises:
        OutputError: a part is missing or damaged. A damaged part is removed.
    """

    def __init__(
        self, parts: Parts, names: Sequence[str], skeleton: Skeleton | None = None, usual: float | None = None
    ) -> None:
        self.parts, self.names, self.skeleton, self.outcome = parts, names, skeleton, Outcome()
        for part in parts.each():
            self.outcome.add(part.confidence, usual)
            self.outcome.skipped |= {names[number]: part.skipped[number] for number in sorted(part.skipped)}

    def readable(self, root: Path, *, strict: bool) -> Outcome:
        """Check that an image is readable, and return the outcome.

        Args:
            root: folder of the images, for the message.
            strict: refuse unreadable images. A part of an earlier call that was not strict may report one.

        Raises:
            NoneReadableError: no image is readable. The parts are removed.
            InputError: with `strict`, an image is unreadable.
        """
        skipped = self.outcome.skipped
        reason = next(iter(skipped.values()), "")
        if not self.outcome.count:
            self.parts.remove()
            raise NoneReadableError(f"{root}: none of {len(self.names)} images can be read; the first one: {reason}", skipped)
        if skipped and strict:
            raise InputError(reason)
        return self.outcome

    def blocks(self) -> Iterator[Predictions]:
        """Yield the predictions of each part."""
        for part in self.parts.each():
            yield Predictions(
                images=[self.names[number] for number in part.numbers],
                keypoints_px=part.keypoints_px,
                confidence=part.confidence,
                sizes=part.sizes,
                skeleton=self.skeleton,
            )

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each predicted image and the hash of its file."""
        for part in self.parts.each():
            yield from zip((self.names[number] for number in part.numbers), part.digests, strict=True)
