"""In which order a participant sees the comparisons, and which result stands on which side.

There are `ORDERS` orders, all from the study's seed; a participant's name chooses one (FNV-1a), so that the page in the
studio and the page that was sent elsewhere agree. In each order every question shows each result on the left as often as on
the right, or once more.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from kpdetect.studio.study import Study

ORDERS = 32


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One comparison as it is shown.

    Attributes:
        item: which one of the study's.
        left, right: which results.
    """

    item: int
    left: int
    right: int


def order_number(participant: str) -> int:
    """Which order a participant sees."""
    digest = 0x811C9DC5
    for byte in participant.encode():
        digest = ((digest ^ byte) * 0x01000193) & 0xFFFFFFFF
    return digest % ORDERS


def shown_order(study: Study, number: int) -> list[Shown]:
    """All comparisons of a study in order `number`: questions one after the other, comparisons shuffled inside each."""
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
    """Whether each comparison shows its first result on the right: half of each question and pair, one more or less by lot."""
    groups: dict[tuple[int, tuple[int, int]], list[int]] = defaultdict(list)
    for index, item in enumerate(study.items):
        groups[item.question, item.methods].append(index)
    flipped = [False] * len(study.items)
    for mine in groups.values():
        count = len(mine) // 2 + (int(source.integers(2)) if len(mine) % 2 else 0)
        for place in source.permutation(len(mine))[:count]:
            flipped[mine[int(place)]] = True
    return flipped
