"""Calibrated confidence: the probability that a keypoint is near its true place, if half of all images show the object.

This probability rises with the mass of the heatmap's peak, but is not equal to it. A rising map turns the mass into the
probability (isotonic regression, Zadrozny and Elkan 2002). It is fitted on augmented held-out pairs and on the same number of
decoys, which are images without the object. Without decoys, a detector that finds nearly all keypoints of its pairs would also
be confident about other objects and noise. The probability is exact only for generated images, because real images differ.

A reliability plot compares confidence and probability.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.files.atomic import replacing
from kpdetect.training.model_description import CalibrationDescription

NEAR = 0.1
"""A keypoint within this distance of its true place counts as found (normalised units; 0.1 is 5 % of the image's side)."""
BINS = 10
"""Number of bins of the reliability table."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A piecewise linear, rising map from heatmap mass to probability.

    Attributes:
        mass: masses of the corner points, rising, in [0, 1].
        probability: probabilities of the corner points, equal or rising, in [0, 1].
        usual: mean confidence of the keypoints in held-out pairs; None if it was not measured.
    """

    mass: tuple[float, ...]
    probability: tuple[float, ...]
    usual: float | None = None

    def __call__(self, mass: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map each mass to a probability. The result has the shape of `mass`."""
        return np.interp(mass, self.mass, self.probability).astype(np.float32)

    def description(self) -> dict[str, Any]:
        """Return this calibration as an entry of the description inside a weights file."""
        return {"near": NEAR, "mass": list(self.mass), "probability": list(self.probability), "usual": self.usual}

    @classmethod
    def read(cls, description: CalibrationDescription | None) -> Calibration:
        """Read the calibration from its entry in a weights file. Without this entry, the confidence equals the mass."""
        if description is None:
            return cls(mass=(0.0, 1.0), probability=(0.0, 1.0))
        return cls(mass=description.mass, probability=description.probability, usual=description.usual)


def fit_calibration(
    mass: NDArray[np.floating], found: NDArray[np.bool_], usual: NDArray[np.floating] | None = None
) -> Calibration:
    """Fit the map from heatmap mass to probability.

    Args:
        mass: heatmap masses [count].
        found: bool [count], whether each keypoint was near its true place. The map is useful only if both values occur.
        usual: heatmap masses, of any shape, of keypoints in pairs. `Calibration.usual` is the mean of their confidences.
    """
    mapped = _fit(mass, found)
    if usual is None or not len(usual):
        return mapped
    return replace(mapped, usual=round(float(mapped(usual).mean()), 4))


def _fit(mass: NDArray[np.floating], found: NDArray[np.bool_]) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    if found.all() or not found.any():  # all equal: one probability for all masses, a little below certainty
        level = (found.sum() + 1) / (len(found) + 2)
        return Calibration(mass=(0.0, 1.0), probability=(float(level), float(level)))
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(mass.astype(np.float64), found.astype(np.float64))
    corners = dict(zip(model.X_thresholds_.round(5).tolist(), model.y_thresholds_.round(5).tolist(), strict=True))
    if len(corners) == 1:  # all masses are equal
        corners = dict.fromkeys((0.0, 1.0), next(iter(corners.values())))
    return Calibration(mass=tuple(corners), probability=tuple(corners.values()))


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """A comparison of confidence and share of found keypoints, in bins of confidence. Bins without keypoints are left out.

    Attributes:
        said: [bins], mean confidence of the keypoints in each bin.
        true: [bins], share of found keypoints in each bin.
        count: [bins], number of keypoints in each bin.
    """

    said: NDArray[np.float64]
    true: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean over keypoints of |said - true| of their bin (Naeini et al. 2015)."""
        return float((np.abs(self.said - self.true) * self.count).sum() / self.count.sum())


def reliability(confidence: NDArray[np.floating], found: NDArray[np.bool_]) -> Reliability:
    """Compare confidence [count] with `found`, bool [count], in `BINS` bins of confidence of equal width."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    kept = [index for index in range(BINS) if (bins == index).any()]
    return Reliability(
        said=np.array([confidence[bins == index].mean() for index in kept], np.float64),
        true=np.array([found[bins == index].mean() for index in kept], np.float64),
        count=np.array([(bins == index).sum() for index in kept]),
    )


def write_reliability_plot(before: Reliability, after: Reliability, path: Path) -> None:
    """Plot the share of found keypoints against the confidence, before and after calibration. On the diagonal both agree.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.2))
    axes = figure.add_axes((0.14, 0.13, 0.83, 0.79))
    axes.plot([0, 1], [0, 1], ":", color="0.5")
    for table, name, style in ((before, "heatmap mass", "s--"), (after, "calibrated", "o-")):
        axes.plot(
            table.said, table.true, style, label=f"{name}: error {table.error:.3f}", color="0.55" if table is before else "0.0"
        )
    axes.set(
        xlabel="confidence", ylabel="share of keypoints found", xlim=(0, 1), ylim=(0, 1.02), title="Held-out pairs and decoys"
    )
    axes.legend(loc="upper left")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())
