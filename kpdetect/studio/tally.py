"""Tally the answers of user studies, in the form of Table 4 of the LatentKeypointGAN paper.

The table shows the shares of answers in favour of each of two results, and of neither, with 95 % intervals.

Answers of one participant resemble each other, so they count less than independent answers. The intervals are Wilson's, for an
effective number of answers. It is the number of answers divided by Kish's design effect,
1 + (answers per participant - 1) * intraclass correlation. The correlation comes from a one-way analysis of variance over
participants, and is 0 if negative. With one participant it cannot be estimated, and the effect is 1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.markdown import markdown_table
from kpdetect.studio.answers import EQUAL, Vote

Z = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of answers in percent, and its 95 % interval."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Tallied:
    """One line of the table.

    Attributes:
        question: name of the question.
        ours, other: names of the two compared results.
        favour, against, equal: shares of the answers for `ours`, for `other` and for neither.
        votes, participants: numbers of answers and of participants.
    """

    question: str
    ours: str
    other: str
    favour: Share
    against: Share
    equal: Share
    votes: int
    participants: int


def tally(votes: Sequence[Vote]) -> list[Tallied]:
    """Tally votes into one line per question and pair of results, in the order in which these first occur."""
    groups: dict[tuple[str, tuple[str, str]], list[Vote]] = defaultdict(list)
    for vote in votes:
        groups[vote.question, vote.methods].append(vote)
    return [_tallied(question, pair, mine) for (question, pair), mine in groups.items()]


def _tallied(question: str, pair: tuple[str, str], votes: Sequence[Vote]) -> Tallied:
    people = [vote.participant for vote in votes]
    shares = [share([vote.preferred == wanted for vote in votes], people) for wanted in (*pair, EQUAL)]
    return Tallied(
        question=question,
        ours=pair[0],
        other=pair[1],
        favour=shares[0],
        against=shares[1],
        equal=shares[2],
        votes=len(votes),
        participants=len(set(people)),
    )


def share(chosen: Sequence[bool], people: Sequence[str]) -> Share:
    """Compute a share of answers with its interval.

    Args:
        chosen: whether each answer counts for the share, [answers].
        people: participant of each answer, [answers].
    """
    values = np.array(chosen, np.float64)
    count = len(values) / design_effect(values, people)
    low, high = wilson(float(values.mean()), count)
    return Share(percent=100 * float(values.mean()), low=100 * low, high=100 * high)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Compute Wilson's 95 % interval of the proportion `share` (0 to 1), observed over `count` answers."""
    middle = share + Z * Z / (2 * count)
    reach = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    scale = 1 + Z * Z / count
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def design_effect(values: NDArray[np.float64], people: Sequence[str]) -> float:
    """Compute Kish's design effect, at least 1. The effective number of answers is their number divided by it."""
    groups = [values[np.array(people) == person] for person in dict.fromkeys(people)]
    total, number = len(values), len(groups)
    if number < 2 or total == number:
        return 1.0
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / (total - number)
    between = sum(len(group) * float((group.mean() - values.mean()) ** 2) for group in groups) / (number - 1)
    size = (total - sum(len(group) ** 2 for group in groups) / total) / (number - 1)
    spread = between + (size - 1) * within
    correlation = max(0.0, (between - within) / spread) if spread > 0 else 0.0
    return 1 + (sum(len(group) ** 2 for group in groups) / total - 1) * correlation


def markdown(lines: Sequence[Tallied]) -> str:
    """Write the table as Markdown. Its columns are those of Table 4 of the LatentKeypointGAN paper."""
    head = ["Aspect", "Method to compare", "In favour of ours", "In favour of others", "Equal", "Answers", "Participants"]
    rows = [
        [
            line.question,
            f"{line.ours} against {line.other}",
            *map(_cell, (line.favour, line.against, line.equal)),
            str(line.votes),
            str(line.participants),
        ]
        for line in lines
    ]
    return markdown_table(head, rows)


def _cell(value: Share) -> str:
    return f"{value.percent:.2f} % ({value.low:.1f} to {value.high:.1f})"
