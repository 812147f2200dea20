"""The table of a prediction whose finished parts are files. Only one part is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kpdetect.inference.image_parts import Parts
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton


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
        self.count, self.skipped = 0, dict[str, str]()
        for part in parts.each():
            self.count += len(part.numbers)
            self.skipped |= {names[number]: part.skipped[number] for number in sorted(part.skipped)}

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
