"""Evaluations of bare arrays, in the coordinates they come in; the first two landmarks are the eyes."""

from __future__ import annotations

import numpy as np

from benchmarks.evaluation.placed import Evaluation, Placed
from benchmarks.metrics.units import pair_lengths


def evaluate_arrays(
    train_pred: np.ndarray,
    train_gt: np.ndarray,
    test_pred: np.ndarray,
    test_gt: np.ndarray,
    *,
    bias: bool,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Evaluation:
    shift = np.asarray(offset)
    placed = Placed(fit=train_gt + shift, test=test_gt + shift, unit=pair_lengths(test_gt, 0, 1))
    return placed.regress(train_pred + shift, test_pred + shift, bias=bias)


def evaluate_mean_shape(train_gt: np.ndarray, test_gt: np.ndarray) -> Evaluation:
    return Placed(fit=train_gt, test=test_gt, unit=pair_lengths(test_gt, 0, 1)).mean_shape()
