"""Correlation-based part disentanglement (CPD): does each embedding change a separate place?

Source: the four-page LatentKeypointGAN paper (He et al. 2021).

One part's embedding is swapped between the two images of a pair. The part's difference map is the absolute difference before
and after the swap, averaged over channels. CPD is 1 minus the mean correlation between the maps of two parts.

The paper leaves two points open. We use Pearson's correlation over all pixels of all pairs. A part whose swap changes nothing
is dead; it counts as correlation 1 with every other part, because it would look perfect otherwise. CPD may exceed 1, because
maps that exclude each other correlate negatively.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError

DEAD = 1e-4
"""A part counts as dead if its swap changes pixel values (between -1 and 1) by less than this on average."""


@dataclass(frozen=True, kw_only=True)
class Disentanglement:
    """CPD and the numbers that it is computed from.

    Attributes:
        cpd: 1 for perfectly disentangled parts, 0 for parts that all change the same pixels.
        correlation: [parts, parts], correlations of difference maps; 1 for dead parts.
        dead: numbers of the dead parts; the last part may be the background.
        change: [parts], mean absolute change of pixel values (between -1 and 1) by each part's swap.
    """

    cpd: float
    correlation: NDArray[np.float64]
    dead: tuple[int, ...]
    change: NDArray[np.float64]


class Sums(NamedTuple):
    """Sums over the pixels of difference maps.

    Attributes:
        pixels: number of pixels.
        total: sums of each part's values [parts].
        products: sums of products of two parts' values [parts, parts].
    """

    pixels: int
    total: NDArray[np.float64]
    products: NDArray[np.float64]


def disentanglement(batches: Iterable[NDArray[np.floating]], dead_below: float = DEAD) -> Disentanglement:
    """Compute CPD from difference maps (values of at least 0) in batches [pairs, parts, height, width].

    Raises:
        InputError: there are fewer than two parts, or no pairs.
    """
    return disentangled(map(sums_of, batches), dead_below)


def sums_of(maps: NDArray[np.floating]) -> Sums:
    """Sum difference maps (values of at least 0) [pairs, parts, height, width].

    Raises:
        InputError: there are fewer than two parts.
    """
    if maps.ndim != 4 or maps.shape[1] < 2:
        raise InputError(f"difference maps {maps.shape}: expected [pairs, at least 2 parts, height, width]")
    rows = np.asarray(maps, np.float64).transpose(1, 0, 2, 3).reshape(maps.shape[1], -1)
    return Sums(pixels=rows.shape[1], total=rows.sum(axis=1), products=rows @ rows.T)


def disentangled(batches: Iterable[Sums], dead_below: float = DEAD) -> Disentanglement:
    """Compute CPD from the sums of difference maps, in batches.

    Raises:
        InputError: there are no pairs.
    """
    count, total, products = 0, np.zeros(()), np.zeros(())
    for sums in batches:
        count, total, products = count + sums.pixels, total + sums.total, products + sums.products
    if not count:
        raise InputError("difference maps: 0 pairs; CPD needs at least 1 pair")
    change = total / count
    covariance = products / count - np.outer(change, change)
    return _disentanglement(change, covariance, change < dead_below)


def _disentanglement(change: NDArray[np.float64], covariance: NDArray[np.float64], dead: NDArray[np.bool_]) -> Disentanglement:
    scale = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), 1.0))
    correlation = covariance / np.outer(scale, scale)
    correlation[dead, :] = correlation[:, dead] = 1.0
    np.fill_diagonal(correlation, 1.0)
    apart = correlation[~np.eye(len(change), dtype=bool)]
    return Disentanglement(
        cpd=float(1 - apart.mean()), correlation=correlation, dead=tuple(np.flatnonzero(dead).tolist()), change=change
    )
