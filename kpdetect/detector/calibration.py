"""Confidence that means something: the probability that a keypoint lies near where it was put, if the object is as likely as
not to be there.

The mass of a heatmap's peak rises with that probability but is not equal to it; a monotone map (isotonic regression, Zadrozny
and Elkan 2002) fitted on varied held-out pairs and as many decoys, which show no object, makes it so. Without decoys a detector
that finds nearly everything in its pairs would be sure of everything, other objects and noise included. It is measured
on pairs, from which real images differ.

A picture of how well confidence keeps its word.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.files.atomic import replacing

NEAR = 0.1
"""A keypoint within this distance (normalised units: 5 % of the image's side) counts as found."""
BINS = 10
"""Of the reliability table."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A piecewise linear, rising map from heatmap mass to probability.

    Attributes:
        mass: corner points, rising, in [0, 1].
        probability: their values, not falling, in [0, 1].
        usual: mean confidence in held-out pairs; None where nobody has measured it.
    """

    mass: tuple[float, ...]
    probability: tuple[float, ...]
    usual: float | None = None

    def __call__(self, mass: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probability of each mass, of the same shape."""
        return np.interp(mass, self.mass, self.probability).astype(np.float32)

    def description(self) -> dict[str, Any]:
        """As weights files keep it."""
        return {"near": NEAR, "mass": list(self.mass), "probability": list(self.probability), "usual": self.usual}

    @classmethod
    def read(cls, description: dict[str, Any] | None) -> Calibration:
        """What a weights file says; without a word of it confidence is the mass itself."""
        if not description:
            return cls(mass=(0.0, 1.0), probability=(0.0, 1.0))
        usual = description.get("usual")  # not in weights of earlier versions
        return cls(mass=tuple(description["mass"]), probability=tuple(description["probability"]), usual=usual)


def fit_calibration(
    mass: NDArray[np.floating], found: NDArray[np.bool_], usual: NDArray[np.floating] | None = None
) -> Calibration:
    """Fit on heatmap masses [count] and whether those keypoints were found [count].

    Args:
        mass, found: of both kinds; of one alone nothing can be told apart.
        usual: heatmap masses [any] of keypoints as they are found in pairs.
    """
    mapped = _fit(mass, found)
    if usual is None or not len(usual):
        return mapped
    return replace(mapped, usual=round(float(mapped(usual).mean()), 4))


def _fit(mass: NDArray[np.floating], found: NDArray[np.bool_]) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    if found.all() or not found.any():  # nothing to tell apart: one probability for all, a little off certainty
        level = (found.sum() + 1) / (len(found) + 2)
        return Calibration(mass=(0.0, 1.0), probability=(float(level), float(level)))
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(mass.astype(np.float64), found.astype(np.float64))
    corners = dict(zip(model.X_thresholds_.round(5).tolist(), model.y_thresholds_.round(5).tolist(), strict=True))
    if len(corners) == 1:  # one mass for all
        corners = dict.fromkeys((0.0, 1.0), next(iter(corners.values())))
    return Calibration(mass=tuple(corners), probability=tuple(corners.values()))


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How well a confidence keeps its word; arrays [bins], bins without keypoints left out.

    Attributes:
        said: mean confidence.
        true: share that was found.
        count: keypoints.
    """

    said: NDArray[np.float64]
    true: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean over keypoints of |said - true| of their bin (Naeini et al. 2015)."""
        return float((np.abs(self.said - self.true) * self.count).sum() / self.count.sum())


def reliability(confidence: NDArray[np.floating], found: NDArray[np.bool_]) -> Reliability:
    """Table of `BINS` equal bins of confidence [count] against whether keypoints were found [count]."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    kept = [index for index in range(BINS) if (bins == index).any()]
    return Reliability(
        said=np.array([confidence[bins == index].mean() for index in kept], np.float64),
        true=np.array([found[bins == index].mean() for index in kept], np.float64),
        count=np.array([(bins == index).sum() for index in kept]),
    )


def write_reliability_plot(before: Reliability, after: Reliability, path: Path) -> None:
    """Said against true probability, before and after calibration; on the dotted diagonal they agree.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axes = figure.subplots()
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
