"""The levels: the pixel values that are mapped to black and to white, in images of more than 8 bits per channel.


    auto        0, and the largest value of 8, 12, 16 or 32 bits: the fewest bits that hold the image's values. (12-bit cameras
                write files of 16 bits.) If the file has more bits, a message says so once.
    full        0, and the largest value that the file's number of bits can hold
    LOW,HIGH    these two values. Images of floating-point pixels need them.

The setting holds for a process and the processes that it starts, so a command reads all images in the same way. The setting is
recorded with predictions and with the training images of a model. Images of 8 bits are not changed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.messages import log

AUTO, FULL = "auto", "full"
VARIABLE = "KPDETECT_LEVELS"
"""Environment variable that holds the setting of the levels."""
BITS = (8, 12, 16, 32)
BLOCK = 2**20
"""Number of values that are converted at once."""
EXPECTED = "expected auto, full, or two numbers as LOW,HIGH, such as 0,4095"
_said = Lock()


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A setting of the levels.

    Attributes:
        text: the setting as the user writes it: `auto`, `full` or `LOW,HIGH`.
        ends: (low, high), the values that are mapped to black and to white; None if they depend on the image.
    """

    text: str
    ends: tuple[float, float] | None = None


def parse_levels(text: str) -> Levels:
    """Parse a setting of the levels.

    Raises:
        InputError: the text is not a setting.
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
    """Use a setting of the levels for all images from now on, in this process and the processes that it starts.

    Raises:
        InputError: the text is not a setting.
    """
    os.environ[VARIABLE] = parse_levels(text).text


def current_levels() -> Levels:
    """Return the current setting of the levels."""
    return parse_levels(os.environ.get(VARIABLE, AUTO))


def to_eight_bits(values: NDArray[np.generic], bits: int, name: str) -> NDArray[np.uint8]:
    """Convert pixel values to uint8 with the current setting of the levels.

    Args:
        values: integers or floating-point numbers, of any shape.
        bits: number of bits of the file's integers, without the sign; 0 for floating-point numbers.
        name: name of the image, for messages.

    Raises:
        ValueError: the values are floating-point numbers, and the setting is not `LOW,HIGH`.
    """
    levels = current_levels()
    if levels.ends is not None:
        low, high = levels.ends
    elif bits:
        low, high = 0.0, float(2**bits - 1 if levels.text == FULL else _fewest(values, bits, name))
    else:
        raise ValueError("the range of floating-point pixels is unknown; give `levels=LOW,HIGH`, or save the image with 8 bits")
    if values.dtype.kind in "ui" and values.dtype.itemsize <= 2:  # one entry for each possible value
        unsigned = np.dtype(f"u{values.dtype.itemsize}")
        table = _scaled(np.arange(256**values.dtype.itemsize, dtype=unsigned).view(values.dtype.newbyteorder("=")), low, high)
        return _in_blocks(lambda block: table[block.astype(block.dtype.newbyteorder("=")).view(unsigned)], values)
    return _in_blocks(lambda block: _scaled(block, low, high), values)


def _scaled(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (np.nan_to_num(values.astype(np.float64), nan=low) - low) * (255 / (high - low))
    return np.clip(scaled, 0, 255).round().astype(np.uint8)


def _in_blocks(convert: Callable[[NDArray[Any]], NDArray[np.uint8]], values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Convert values block by block, because intermediate values need many times the memory of the result."""
    flat = values.reshape(-1)
    result = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), BLOCK):
        result[start : start + BLOCK] = convert(flat[start : start + BLOCK])
    return result.reshape(values.shape)


def _fewest(values: NDArray[np.generic], bits: int, name: str) -> int:
    """Return the largest value of 8, 12, 16 or 32 bits: the fewest bits that hold all values."""
    largest = int(values.max(initial=0))  # type: ignore[call-overload]
    # 8-bit cameras write 8-bit files, so a 16-bit image whose values fit 8 bits is a dark image
    choices = [count for count in (*BITS, bits) if largest < 2**count and count <= bits and (count > 8 or bits > 16)]
    fewest = min(choices, default=bits)
    if largest > 0 and fewest < bits and _said.acquire(blocking=False):  # never released, so the message comes once
        log.info(
            f"note: {name}: the pixels have {bits} bits but reach only {largest:,}, so this image and similar ones are read as "
            f"{fewest} bits; `levels=full` or `levels=LOW,HIGH` changes this"
        )
    return int(2**fewest - 1)
