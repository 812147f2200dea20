"""The table of a prediction whose finished parts are files. Only one part is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.inference.image_parts import Parts
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton

Skipped = dict[str, str]
"""Why inputs were skipped, by their names."""


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

    Attributes:
        count: number of predicted images.
        skipped: why images were skipped, by name.

    Raises:
        OutputError: a part is missing or damaged. A damaged part is removed.
    """

    def __init__(self, parts: Parts, names: Sequence[str], skeleton: Skeleton | None = None) -> None:
        self.parts, self.names, self.skeleton = parts, names, skeleton
        self.count, self.skipped = 0, Skipped()
        for part in parts.each():
            self.count += len(part.numbers)
            self.skipped |= {names[number]: part.skipped[number] for number in sorted(part.skipped)}

    def readable(self, root: Path, *, strict: bool) -> Skipped:
        """Check that an image is readable. Return why images were skipped.

        Args:
            root: folder of the images, for the message.
            strict: refuse unreadable images. A part of an earlier call that was not strict may report one.

        Raises:
            NoneReadableError: no image is readable. The parts are removed.
            InputError: with `strict`, an image is unreadable.
        """
        reason = next(iter(self.skipped.values()), "")
        if not self.count:
            self.parts.remove()
            raise NoneReadableError(
                f"{root}: none of {len(self.names)} images can be read; the first one: {reason}", self.skipped
            )
        if self.skipped and strict:
            raise InputError(reason)
        return self.skipped

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
