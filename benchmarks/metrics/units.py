"""The length by which the errors of an image are divided; `benchmarks.protocol.named` lists the units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.definition import Protocol
from kpdetect.errors import InputError


def unit_lengths(
    protocol: Protocol, truth: NDArray[np.floating], extents: NDArray[np.floating], images: Sequence[str]
) -> NDArray[np.float64]:
    """Compute the unit [images] of each image, so that 100 * distance / unit is an error in the protocol's metric.

    Args:
        protocol: protocol that names the unit.
        truth: landmarks [images, landmarks, 2] in the frame; NaN where hidden.
        extents: (width, height) [images, 2] of the images in the frame.
        images: names of the images, for messages.

    Raises:
        InputError: an image's unit is zero, or depends on a hidden landmark.
    """
    unit = _lengths(protocol, np.asarray(truth, np.float64), extents)
    bad = np.flatnonzero(~(unit > 0))
    if len(bad):
        where = f"{len(bad):,} images, the first is {images[bad[0]]}: the unit of the error ({_name(protocol)})"
        raise InputError(f"{where} is zero or hidden; leave these images out or choose another unit")
    return unit


def pair_lengths(truth: NDArray[np.floating], first: int, second: int) -> NDArray[np.float64]:
    """Compute the distance [images] between two of the landmarks [images, landmarks, 2], such as the inter-ocular distance."""
    return np.asarray(np.linalg.norm(truth[:, first] - truth[:, second], axis=-1), np.float64)


def _lengths(protocol: Protocol, truth: NDArray[np.float64], extents: NDArray[np.floating]) -> NDArray[np.float64]:
    if protocol.unit == "pixel":
        return np.full(len(truth), 100.0)
    if protocol.unit == "image":
        return np.asarray(np.sqrt(extents.prod(axis=1)), np.float64)
    if protocol.unit == "box":
        sides = np.nanmax(truth, axis=1) - np.nanmin(truth, axis=1)
        return np.asarray(np.sqrt(sides.prod(axis=1)), np.float64)
    first, second = (protocol.landmarks.index(name) for name in protocol.unit)
    return pair_lengths(truth, first, second)


def _name(protocol: Protocol) -> str:
    return " - ".join(protocol.unit) if isinstance(protocol.unit, tuple) else protocol.unit
