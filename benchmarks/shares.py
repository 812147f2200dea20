"""How the training minutes of a project are shared among its stages."""

from __future__ import annotations

REFINED = {"generator": 5.0, "detector": 2.0, "refine": 3.0}
"""Parts of the training minutes of a project whose detector has a second stage on real images."""
PLAIN = {"generator": 7.0, "detector": 3.0, "refine": 0.0}
"""The same without a second stage."""
WHOLE = 10.0
ROUND = 1.5
"""The part of each round of self-training, beside these."""


def share_of(stage: str, refined: bool, rounds: int = 0) -> float:
    """The share of the minutes that a stage (or `round`, each of them) gets in a project with so many rounds."""
    part = ROUND if stage == "round" else (REFINED if refined else PLAIN)[stage]
    return part / (WHOLE + ROUND * rounds)
