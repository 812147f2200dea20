"""The skeleton of a model: names, links and left-right partners of its keypoints.

A skeleton lists the keypoints that the user's labels do not drop. A `position` is an index of this list. A `number` is the
number of a keypoint in the model, which also counts dropped keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from kpdetect.files.records import Count, Record, checked

MOST_KEYPOINTS = 100_000
"""Largest number of keypoints of one result."""


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """The keypoints of a result, with their names, links and left-right partners.

    Attributes:
        numbers: number of each keypoint in the model.
        names: name of each keypoint; a keypoint without a name has a default name such as `keypoint3`.
        links: pairs of positions that are joined by a line.
        pairs: pairs of positions that are each other's mirror image.
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    links: tuple[tuple[int, int], ...] = field(default=())
    pairs: tuple[tuple[int, int], ...] = field(default=())

    @classmethod
    def plain(cls, count: int) -> Skeleton:
        """Make the skeleton of all `count` keypoints of a model, with default names."""
        return cls(numbers=tuple(range(count)), names=tuple(default_name(number) for number in range(count)))

    @property
    def named(self) -> bool:
        """Whether any keypoint has a name other than the default name."""
        return any(name != default_name(number) for number, name in zip(self.numbers, self.names, strict=True))

    def mirror(self) -> NDArray[np.int64]:
        """Return the position [K] of each keypoint's partner in a mirrored image. Without a partner it is its own position."""
        partner = np.arange(len(self.numbers))
        for one, other in self.pairs:
            partner[one], partner[other] = other, one
        return partner

    def to_record(self) -> dict[str, Any]:
        """Convert the skeleton to values for JSON."""
        return {
            "numbers": list(self.numbers),
            "names": list(self.names),
            "links": [list(link) for link in self.links],
            "pairs": [list(pair) for pair in self.pairs],
        }

    @classmethod
    def from_record(cls, record: Any, source: str) -> Skeleton:
        """Make a skeleton from the values that `to_record` returns. `source` names the file in error messages.

        Raises:
            FormatError: the values are not a skeleton.
        """
        return checked(SkeletonRecord, record, source, advice="run `kpdetect predict` again").skeleton()


class SkeletonRecord(Record):
    """The skeleton as it is stored in predictions.json and other files."""

    numbers: tuple[Count, ...]
    names: tuple[str, ...]
    links: tuple[tuple[Count, Count], ...]
    pairs: tuple[tuple[Count, Count], ...]

    @model_validator(mode="after")
    def _consistent(self) -> SkeletonRecord:
        count = len(self.numbers)
        if not 0 < count <= MOST_KEYPOINTS or len(self.names) != count or len(set(self.numbers)) != count:
            raise ValueError(
                f"got {count} numbers and {len(self.names)} names of keypoints, expected different numbers with a name each"
            )
        if any(position >= count for pair in (*self.links, *self.pairs) for position in pair):
            raise ValueError(f"a link or pair names a keypoint that is not among the {count}")
        return self

    def skeleton(self) -> Skeleton:
        """Convert the record to a skeleton."""
        return Skeleton(numbers=self.numbers, names=self.names, links=self.links, pairs=self.pairs)


def default_name(number: int) -> str:
    """Return the default name of a keypoint, for example `keypoint3`."""
    return f"keypoint{number}"
