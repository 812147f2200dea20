"""The annotated images of a benchmark in the coordinates of one regression, and errors measured there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.regression import fit_regression, settle_names
from benchmarks.metrics.nme import NmeScore, exchange_names, nme_percent, point_errors_percent
from benchmarks.metrics.units import unit_lengths
from benchmarks.protocol.definition import Distance, Protocol, Regression

Points = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of one regression that was fitted and measured.

    Attributes:
        score: errors over the test images.
        errors: errors [test images, landmarks] in percent of the image's unit length; NaN where hidden.
        predicted: predicted landmarks [test images, landmarks, 2], in the coordinates of the regression's frame.
        rank: rank of the regression's input; 0 without a regression.
        columns: number of values per image in the regression's input; 0 without a regression.
        groups: [test images], see `Placed`.
    """

    score: NmeScore
    errors: NDArray[np.float64]
    predicted: NDArray[np.float64]
    rank: int = 0
    columns: int = 0
    groups: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True)
class Placed:
    """The annotated images of a benchmark in the coordinates of one regression.

    Attributes:
        fit: landmarks [fitting images, landmarks, 2]; NaN where hidden.
        test: landmarks [test images, landmarks, 2]; NaN where hidden.
        unit: [test images], see `unit_lengths`.
        exchanged: order of the landmarks with exchanged names; None if the protocol does not exchange names.
        distance, summed: see `nme_percent`.
        names: names of the landmarks, for messages.
        groups: [test images], the group of each image; None without groups. See `bootstrap_interval95`.
    """

    fit: NDArray[np.float64]
    test: NDArray[np.float64]
    unit: NDArray[np.float64]
    exchanged: NDArray[np.int64] | None = None
    distance: Distance = "euclidean"
    summed: bool = False
    names: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None

    def measure(self, predicted: Points, rank: int = 0, columns: int = 0) -> Evaluation:
        """Measure the errors of landmarks [test images, landmarks, 2]."""
        points = np.asarray(predicted, np.float64)
        if self.exchanged is not None:
            points = exchange_names(points, self.test, self.exchanged, self.distance)
        errors = point_errors_percent(points, self.test, self.unit, self.distance)
        score = nme_percent(points, self.test, self.unit, self.distance, summed=self.summed, groups=self.groups)
        return Evaluation(score=score, errors=errors, predicted=points, rank=rank, columns=columns, groups=self.groups)

    def regress(self, fit: Points, test: Points, *, bias: bool, ridge: bool = False) -> Evaluation:
        """Fit a linear map from keypoints [images, keypoints, 2] or features [images, columns], and measure its errors."""
        regression = fit_regression(fit, self.fit, bias=bias, ridge=ridge, exchanged=self.exchanged, names=self.names)
        return self.measure(regression(test), regression.rank, regression.columns)

    def mean_shape(self) -> Evaluation:
        """Measure the floor: the mean landmarks of the fitting images as the prediction for every test image."""
        return self.measure(np.broadcast_to(self.mean_landmarks(), self.test.shape))

    def mean_landmarks(self) -> NDArray[np.float64]:
        """Compute the mean landmarks [landmarks, 2] of the fitting images, after the exchange of names."""
        fit = self.fit
        if self.exchanged is not None:
            fit = settle_names(fit, self.exchanged, lambda points: np.broadcast_to(np.nanmean(points, axis=0), points.shape))
        return np.asarray(np.nanmean(fit, axis=0), np.float64)


def place(landmark_set: LandmarkSet, protocol: Protocol, regression: Regression) -> Placed:
    """Place fitting and test images in the coordinates of a regression.

    Raises:
        InputError: the unit of a test image is zero or hidden.
    """
    frame, sizes, test = regression.frame, landmark_set.sizes, landmark_set.test
    landmarks = frame.place(landmark_set.landmarks_px, sizes, regression.origin)
    return Placed(
        fit=landmarks[landmark_set.fit],
        test=landmarks[test],
        unit=unit_lengths(protocol, landmarks[test], frame.extents(sizes)[test], [landmark_set.images[row] for row in test]),
        exchanged=protocol.exchanged,
        distance=protocol.distance,
        summed=protocol.summed,
        names=protocol.landmarks,
        groups=landmark_set.test_groups,
    )
