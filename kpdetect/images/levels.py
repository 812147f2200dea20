"""Which values of images with more than 8 bits are black and white.

    auto        0 to the largest value of the fewest bits, of 8, 12, 16 and 32, that hold the image's values: cameras of 12 bits
                write 16. Where that is less than the file's own bits, a line says so once.
    full        0 to the largest value of the file's own bits
    LOW,HIGH    these values; needed for floating-point pixels

One setting holds for a process and those it starts, so that all of a command's images are read alike. It is recorded with
predictions and with the images that a model is trained on. Images of 8 bits are never changed.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.messages import log

AUTO, FULL = "auto", "full"
VARIABLE = "KPDETECT_LEVELS"
"""Environment variable that holds the setting."""
BITS = (8, 12, 16, 32)
EXPECTED = "expected auto, full, or two numbers as LOW,HIGH, such as 0,4095"
_said = Lock()


@dataclass(frozen=True, kw_only=True)
class Levels:
    """How values become 8 bits.

    Attributes:
        text: as the option is written.
        ends: the values of black and white; None where each image decides.
    """

    text: str
    ends: tuple[float, float] | None = None


def parse_levels(text: str) -> Levels:
    """A setting as typed.

    Raises:
        InputError: it is none.
    """
    if text in (AUTO, FULL):
        return Levels(text=text)
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"`levels={text}`: {EXPECTED}") from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"`levels={text}`: {EXPECTED}, the first below the second")
    return Levels(text=f"{low:g},{high:g}", ends=(low, high))


def use_levels(text: str) -> None:
    """Read images from now on with this setting, in this process and those it starts.

    Raises:
        InputError: it is none.
    """
    os.environ[VARIABLE] = parse_levels(text).text


def current_levels() -> Levels:
    """The setting."""
    return parse_levels(os.environ.get(VARIABLE, AUTO))


def to_eight_bits(values: NDArray[np.generic], bits: int, name: str) -> NDArray[np.uint8]:
    """Values as uint8, by the setting.

    Args:
        values: integers, or floating-point numbers.
        bits: of the file's integers without their sign; 0: floating-point.
        name: of the image, for messages.

    Raises:
        ValueError: floating-point numbers without levels.
    """
    levels = current_levels()
    if levels.ends is not None:
        low, high = levels.ends
    elif bits:
        low, high = 0.0, float(2**bits - 1 if levels.text == FULL else _fewest(values, bits, name))
    else:
        raise ValueError("the range of floating-point pixels is unknown; give `levels=LOW,HIGH`, or save the image with 8 bits")
    scaled = (np.nan_to_num(values.astype(np.float64), nan=low) - low) * (255 / (high - low))
    return np.clip(scaled, 0, 255).round().astype(np.uint8)


def _fewest(values: NDArray[np.generic], bits: int, name: str) -> int:
    """The largest number of the fewest bits that hold all values."""
    largest = int(values.max(initial=0))  # type: ignore[call-overload]
    # 16 bits that would do with 8 are a dark picture: cameras of 8 bits write 8
    choices = [count for count in (*BITS, bits) if largest < 2**count and count <= bits and (count > 8 or bits > 16)]
    fewest = min(choices, default=bits)
    if largest > 0 and fewest < bits and _said.acquire(blocking=False):  # never released: said once
        log.info(
            f"note: {name}: the pixels have {bits} bits but reach only {largest:,}, so this image and similar ones are read as "
            f"{fewest} bits; `levels=full` or `levels=LOW,HIGH` changes this"
        )
    return int(2**fewest - 1)
