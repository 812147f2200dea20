"""The scales over which predictions are averaged, as a checked setting."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

SCALES = (0.25, 2.0)
"""Smallest and largest square of `Scales`, relative to the square that a single prediction sees."""


def _in_range(scales: tuple[float, ...]) -> tuple[float, ...]:
    low, high = SCALES
    if not scales or not all(low <= scale <= high for scale in scales):
        raise PydanticCustomError(
            "scales", "expected numbers from {low} to {high}, such as 1,0.9,0.8", {"low": low, "high": high}
        )
    return scales


Scales = Annotated[tuple[float, ...], AfterValidator(_in_range)]
"""Relative sizes of the squares on which an image is predicted."""
