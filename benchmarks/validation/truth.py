"""The true errors of a detector, from annotated images: as a whole, and of each keypoint.

All regressions are ridge regressions with a bias, cross-validated in five folds. Images of one group are in one fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.cross_validation import splits
from benchmarks.evaluation.regression import fit_regression
from benchmarks.metrics.keypoint_quality import STILL

Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """True errors.

    Attributes:
        share: error of the landmarks that are predicted from the keypoints, as a share of the error of the mean shape.
        unexplained: [K], share of each keypoint's motion that the landmarks do not explain; 0: all explained, 1: nothing.
    """

    share: float
    unexplained: Points


def measure_truth(keypoints: Points, landmarks: Points, groups: NDArray[np.int64]) -> Truth:
    """Measure the true errors.

    Args:
        keypoints: [images, K, 2], in percent of the side.
        landmarks: [images, landmarks, 2], in percent of the side; NaN where hidden.
        groups: [images], the group of each image.

    Raises:
        InputError: a landmark is hidden in all images of a fold's complement.
    """
    landmarks = landmarks[:, ~np.isnan(landmarks).all(axis=(0, 2))]
    predicted, still = np.empty_like(landmarks), np.empty_like(landmarks)
    explained = np.empty_like(keypoints)
    filled = np.where(np.isnan(landmarks), np.nanmean(landmarks, axis=0), landmarks)
    for fit, check in splits(groups)[0]:
        predicted[check] = fit_regression(keypoints[fit], landmarks[fit], bias=True, ridge=True)(keypoints[check])
        still[check] = np.nanmean(landmarks[fit], axis=0)
        explained[check] = fit_regression(filled[fit], keypoints[fit], bias=True, ridge=True)(filled[check])
    error = np.nanmean(np.linalg.norm(predicted - landmarks, axis=-1))
    missed, variance = ((keypoints - explained) ** 2).mean(axis=0).sum(axis=-1), keypoints.var(axis=0).sum(axis=-1)
    unexplained = np.divide(missed, variance, out=np.ones(len(missed)), where=variance > STILL)
    return Truth(share=float(error / np.nanmean(np.linalg.norm(still - landmarks, axis=-1))), unexplained=unexplained)
