"""Correlation-based part disentanglement (CPD; LatentKeypointGAN's short paper): does each embedding change a place of its own?

For pairs of generated images and each part, that part's embedding is swapped and the absolute difference before and after, mean
over channels, is the part's map. CPD is 1 - the mean correlation of the maps of two parts. Our reading where the paper is
silent: Pearson's correlation over all pixels of all pairs; a part whose swap changes nothing is dead, is named, and counts as
correlation 1 with every other (else a dead part would look perfect). Maps that exclude each other correlate negatively, so
more than 1 is possible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError

DEAD = 1e-4
"""Mean change, of the range from -1 to 1, below which a part counts as dead."""


@dataclass(frozen=True, kw_only=True)
class Disentanglement:
    """CPD and what it is made of.

    Attributes:
        cpd: 1 is perfect, 0 no control.
        correlation: [parts, parts]; ones where a part is dead.
        dead: numbers of dead parts; the last part may be the background.
        change: [parts], mean absolute change of each part's swap, of the range from -1 to 1.
    """

    cpd: float
    correlation: NDArray[np.float64]
    dead: tuple[int, ...]
    change: NDArray[np.float64]


def disentanglement(batches: Iterable[NDArray[np.floating]], dead_below: float = DEAD) -> Disentanglement:
    """CPD of difference maps, not negative, in batches [pairs, parts, height, width].

    Raises:
        InputError: fewer than two parts, or no pairs.
    """
    count, total, products = 0, np.zeros(0), np.zeros((0, 0))
    for maps in batches:
        if maps.ndim != 4 or maps.shape[1] < 2:
            raise InputError(f"difference maps {maps.shape}: expected [pairs, at least 2 parts, height, width]")
        rows = np.asarray(maps, np.float64).transpose(1, 0, 2, 3).reshape(maps.shape[1], -1)
        if not count:
            total, products = np.zeros(len(rows)), np.zeros((len(rows), len(rows)))
        count, total, products = count + rows.shape[1], total + rows.sum(axis=1), products + rows @ rows.T
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
