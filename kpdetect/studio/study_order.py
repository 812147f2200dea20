"""The order in which a participant of a user study sees the comparisons, and the side of each result.

There are `ORDERS` orders, which follow from the study's seed. A hash of the participant's name (FNV-1a) chooses one of them. So
the studio and an exported page choose the same order. In each order, every question shows each result on the left as often as
on the right, or once more."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from kpdetect.studio.study import Study

ORDERS = 32


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A comparison as a participant sees it.

    Attributes:
        item: index of the comparison in the study.
        left, right: indices of the results on the left and on the right.
    """

    item: int
    left: int
    right: int


def order_number(participant: str) -> int:
    """Compute the number of the order that a participant sees."""
    digest = 0x811C9DC5
    for byte in participant.encode():
        digest = ((digest ^ byte) * 0x01000193) & 0xFFFFFFFF
    return digest % ORDERS


def shown_order(study: Study, number: int) -> list[Shown]:
    """List all comparisons of a study in order `number`.

    The questions follow one another. The comparisons of each question are shuffled.
    """
    source = np.random.default_rng([study.seed, number])
    flipped = _flipped(study, source)
    order: list[int] = []
    for question in range(len(study.questions)):
        mine = [index for index, item in enumerate(study.items) if item.question == question]
        order += [mine[place] for place in source.permutation(len(mine))]
    pairs = [study.items[index].methods for index in order]
    return [
        Shown(item=index, left=pair[1] if flipped[index] else pair[0], right=pair[0] if flipped[index] else pair[1])
        for index, pair in zip(order, pairs, strict=True)
    ]


def _flipped(study: Study, source: np.random.Generator) -> list[bool]:
    """Choose for each comparison whether its first result is shown on the right.

    This holds for half of the comparisons of each question and pair. Of an odd number, chance decides about one more or less.
    """
    groups: dict[tuple[int, tuple[int, int]], list[int]] = defaultdict(list)
    for index, item in enumerate(study.items):
        groups[item.question, item.methods].append(index)
    flipped = [False] * len(study.items)
    for mine in groups.values():
        count = len(mine) // 2 + (int(source.integers(2)) if len(mine) % 2 else 0)
        for place in source.permutation(len(mine))[:count]:
            flipped[mine[int(place)]] = True
    return flipped
