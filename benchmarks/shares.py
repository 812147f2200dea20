"""How the training minutes of a project are shared among its stages."""

from __future__ import annotations

REFINED = {"generator": 0.5, "detector": 0.2, "refine": 0.3}
"""Parts of the training minutes of a project whose detector has a second stage on real images."""
PLAIN = {"generator": 0.7, "detector": 0.3, "refine": 0.0}
"""The same without a second stage."""


def share_of(stage: str, refined: bool) -> float:
    """The part of the minutes that a stage gets in a project with a generator and a detector."""
    return (REFINED if refined else PLAIN)[stage]
