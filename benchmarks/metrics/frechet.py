"""Distances between two sets of images in the features of a network: Frechet distance and kernel distance, in float64.

FID and KID are these distances in the features of the Inception network. Distances of different networks, image sizes or
image counts cannot be compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError

SUBSETS, SUBSET = 100, 1_000
Features = NDArray[np.floating]


def frechet_distance(one: Features, two: Features) -> float:
    """Compute the Frechet distance between two sets of features [images, features] (Heusel et al. 2017).

    The distance is |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)), with means m and covariances C. With fewer images than
    features, the covariances do not have full rank and the distance is biased upwards.

    Raises:
        InputError: a set has fewer than two images, or the sets have different numbers of features.
    """
    _check(one, two)
    first, second = np.asarray(one, np.float64), np.asarray(two, np.float64)
    gap = first.mean(axis=0) - second.mean(axis=0)
    covariance, other = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (first, second))
    root = _root(covariance)
    mixed = np.linalg.eigvalsh(root @ other @ root).clip(0)  # eigenvalues of C1 C2, from a symmetric matrix
    return float(gap @ gap + np.trace(covariance) + np.trace(other) - 2 * np.sqrt(mixed).sum())


def kernel_distance(one: Features, two: Features, seed: int = 0) -> tuple[float, float]:
    """Compute KID (Binkowski et al. 2018): the unbiased squared maximum mean discrepancy, kernel (x y / features + 1)^3.

    Returns:
        Mean and standard deviation over `SUBSETS` random subsets. A subset has `SUBSET` images of each set, or half of the
        smaller set if that is less.

    Raises:
        InputError: as `frechet_distance`.
    """
    _check(one, two)
    count = max(2, min(SUBSET, len(one) // 2, len(two) // 2))
    source = np.random.default_rng(seed)
    discrepancies = []
    for _ in range(SUBSETS):
        first = np.asarray(one[source.choice(len(one), count, replace=False)], np.float64)
        second = np.asarray(two[source.choice(len(two), count, replace=False)], np.float64)
        discrepancies.append(_discrepancy(first, second))
    return float(np.mean(discrepancies)), float(np.std(discrepancies))


def _discrepancy(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    count, width = one.shape

    def kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((first @ second.T / width + 1) ** 3)

    first, second, across = kernel(one, one), kernel(two, two), kernel(one, two)
    within = (first.sum() - np.trace(first) + second.sum() - np.trace(second)) / (count * (count - 1))
    return float(within - 2 * across.mean())


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(values.clip(0))) @ vectors.T)


def _check(one: Features, two: Features) -> None:
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[1] or min(len(one), len(two)) < 2:
        raise InputError(
            f"features {one.shape} and {two.shape}: expected [images, features], at least 2 images, equally many features"
        )
