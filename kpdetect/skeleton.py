"""What is known of a model's keypoints besides where they are: their names, links and left-right partners.

A skeleton lists the keypoints that are kept. `position` is a place in that list, `number` the model's own number of a keypoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from kpdetect.files.records import Count, Record, checked

MOST_KEYPOINTS = 100_000
"""Keypoints of one result."""


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """The keypoints of a result.

    Attributes:
        numbers: the model's number of each.
        names: a name of each; `keypoint3` where nobody gave one.
        links: pairs of positions to be joined by a line.
        pairs: pairs of positions that are each other's mirror image.
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    links: tuple[tuple[int, int], ...] = field(default=())
    pairs: tuple[tuple[int, int], ...] = field(default=())

    @classmethod
    def plain(cls, count: int) -> Skeleton:
        """All keypoints of a model, without names of their own."""
        return cls(numbers=tuple(range(count)), names=tuple(default_name(number) for number in range(count)))

    @property
    def named(self) -> bool:
        """Whether any keypoint has a name of its own."""
        return any(name != default_name(number) for number, name in zip(self.numbers, self.names, strict=True))

    def mirror(self) -> NDArray[np.int64]:
        """Position [K] of each keypoint's partner in a mirrored image; its own where it has none."""
        partner = np.arange(len(self.numbers))
        for one, other in self.pairs:
            partner[one], partner[other] = other, one
        return partner

    def to_record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "numbers": list(self.numbers),
            "names": list(self.names),
            "links": [list(link) for link in self.links],
            "pairs": [list(pair) for pair in self.pairs],
        }

    @classmethod
    def from_record(cls, record: Any, source: str) -> Skeleton:
        """Read what `to_record` made; `source` names the file in the error.

        Raises:
            FormatError: it is something else.
        """
        return checked(SkeletonRecord, record, source, advice="run `kpdetect predict` again").skeleton()


class SkeletonRecord(Record):
    """A skeleton, as records of predictions have it."""

    numbers: tuple[Count, ...]
    names: tuple[str, ...]
    links: tuple[tuple[Count, Count], ...]
    pairs: tuple[tuple[Count, Count], ...]

    @model_validator(mode="after")
    def _consistent(self) -> SkeletonRecord:
        count = len(self.numbers)
        if not 0 < count <= MOST_KEYPOINTS or len(self.names) != count or len(set(self.numbers)) != count:
            raise ValueError(
                f"{count} numbers and {len(self.names)} names of keypoints; expected different numbers, a name each"
            )
        if any(position >= count for pair in (*self.links, *self.pairs) for position in pair):
            raise ValueError(f"a link or pair names a keypoint that is not among the {count}")
        return self

    def skeleton(self) -> Skeleton:
        """The skeleton itself."""
        return Skeleton(numbers=self.numbers, names=self.names, links=self.links, pairs=self.pairs)


def default_name(number: int) -> str:
    """What a keypoint is called until somebody names it."""
    return f"keypoint{number}"
