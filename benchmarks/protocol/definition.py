"""The parts of a protocol; `benchmarks.protocol.named` lists the protocols that are built from them.

The same keypoints have different errors under different protocols. Without a bias, the error depends on the origin. In an image
that is stretched to a square, errors in x and y have other weights. Every regression of a protocol therefore has a name.
Exactly one is the main regression (headline); the table shows the other regressions too.

Crops
    The crop is the region of an image file that a model sees. Frames, units and errors refer to the crop alone. Predictions
    are stored in pixels of the whole file.

Frames and origins
    A frame is the image resized to a fixed (height, width), or the image's own pixels. Pixels are as in `kpdetect.coords`.
    `corner`       the outer corner of the image is (0, 0)
    `first pixel`  the centre of the first pixel is (0, 0)
    `centre`       the centre of the image is (0, 0)

Units
    A distance is divided by the unit of its image. The unit is one of these:
    two names      the distance between two landmarks
    `box`          the square root of the area of the box around the visible landmarks
    `image`        the square root of the frame's area
    `pixel`        one pixel of the frame, so that errors are in pixels, not percent
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import Size

Origin = Literal["corner", "first pixel", "centre"]
Unit = tuple[str, str] | Literal["box", "image", "pixel"]
Distance = Literal["euclidean", "taxicab"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The coordinates in which the regression is fitted and the error is measured.

    Attributes:
        name: name of the frame in tables.
        size: (height, width) to which every image is stretched; None for the pixels of the image itself.
    """

    name: str
    size: Size | None = None

    def place(self, points_px: NDArray[np.floating], sizes: NDArray[np.integer], origin: Origin) -> NDArray[np.float64]:
        """Convert points from pixels of image files to this frame.

        Args:
            points_px: [images, points, 2], in pixels of the files.
            sizes: (height, width) [images, 2] of the files.
            origin: the point of the image that is (0, 0).

        Returns:
            [images, points, 2].
        """
        scale, shift = self._scale_and_shift(sizes, origin)
        return (np.asarray(points_px, np.float64) + 0.5) * scale - shift

    def unplace(self, points: NDArray[np.floating], sizes: NDArray[np.integer], origin: Origin) -> NDArray[np.float64]:
        """Convert points [images, points, 2] from this frame to pixels of image files; the inverse of `place`."""
        scale, shift = self._scale_and_shift(sizes, origin)
        return (np.asarray(points, np.float64) + shift) / scale - 0.5

    def extents(self, sizes: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return (width, height) [images, 2] in this frame, for images of `sizes` [images, 2] (height, width)."""
        extents = np.asarray(sizes, np.float64)[:, ::-1]
        return extents if self.size is None else np.broadcast_to(np.array(self.size[::-1], np.float64), extents.shape)

    def _scale_and_shift(self, sizes: NDArray[np.integer], origin: Origin) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        extent, target = np.asarray(sizes, np.float64)[:, None, ::-1], self.extents(sizes)[:, None]
        shifts = {"corner": 0 * target, "first pixel": 0 * target + 0.5, "centre": target / 2}
        return target / extent, shifts[origin]


@dataclass(frozen=True, kw_only=True)
class Regression:
    """One way to map keypoints to landmarks.

    Attributes:
        frame: coordinates in which the map is fitted and measured.
        origin: the point of the image that is (0, 0).
        bias: whether the map has a constant term.
        ridge: whether weights are shrunk, with the penalty that cross-validation inside the fitting images selects.
        backward: whether the map is from landmarks to keypoints. Its error is large for keypoints that do not follow the
            object (Sanchez & Tzimiropoulos 2019).
        headline: whether this is the protocol's main regression, whose error is the main number of the benchmark.
    """

    frame: Frame
    origin: Origin
    bias: bool
    ridge: bool = False
    backward: bool = False
    headline: bool = False

    @property
    def name(self) -> str:
        """Name in tables. With a bias the origin makes no difference, so the name leaves it out."""
        kind = "ridge with bias" if self.ridge else "with bias" if self.bias else f"{self.origin} origin, no bias"
        return f"{self.frame.name}, {'backward, ' if self.backward else ''}{kind}"


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of an image file in whole pixels, centred on the box that the data set has for the image.

    Attributes:
        name: name of the crop in tables.
        scale: side of the square as a multiple of the box's longer side.
        side: side of the square in pixels of the file; None to use `scale`.
        clip: whether the square is cut off at the image's border, so that it may not stay square; otherwise edge pixels are
            repeated beyond the border.
        shift: largest random shift along each axis, as a share of the side; the image's name is the seed.
        zoom: largest random change of the side, as a share of the side; the image's name is the seed.
        fit_only: whether only fitting images are cropped and test images stay whole.
    """

    name: str
    scale: float = 1.0
    side: int | None = None
    clip: bool = False
    shift: float = 0.0
    zoom: float = 0.0
    fit_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A benchmark protocol: images, split, crop, landmarks, regressions and error measure.

    Attributes:
        name: name of the protocol; part of every result's name.
        dataset: the loader that reads the data, a key of `benchmarks.datasets.loaders`; by default the protocol's name.
        subset: the part of the data set to use, as its loader names it; empty if the data set has only one part.
        images: the images that are used, in words.
        split: the fitting images and the test images, in words.
        crop: the region of each image that a model sees; None for the whole image.
        landmarks: names of the landmarks, in the order of the annotation.
        unit: the length by which distances are divided; the module's docstring lists the units.
        distance: distance between a predicted and an annotated point: `euclidean`, or `taxicab` (`|dx| + |dy|`).
        regressions: the regressions; exactly one is the main regression (headline).
        summed: whether the mean errors of the landmarks are added up instead of averaged.
        swaps: pairs of landmarks whose names are exchanged, all at once, in images where that lowers the error. On fitting
            images this is repeated until nothing changes; on test images it is done once.
        thresholds: errors, in the protocol's metric, up to which a point counts as correct (PCK). The last threshold is also
            the upper limit of the area under the curve.
        within: the threshold whose PCK papers print instead of a mean error; None if papers print a mean error.
        source: source of the protocol, and the parts of it that are this project's choice.
        published: columns of published numbers (`baselines.toml`) to show next to results of this protocol.
        comparable: name of the data whose numbers are comparable with the published numbers.
    """

    name: str
    dataset: str = ""
    subset: str = ""
    images: str
    split: str
    crop: Crop | None = None
    landmarks: tuple[str, ...]
    unit: Unit
    distance: Distance = "euclidean"
    regressions: tuple[Regression, ...]
    summed: bool = False
    swaps: tuple[tuple[str, str], ...] = ()
    thresholds: tuple[float, ...] = (2, 5, 10)
    within: float | None = None
    source: str
    published: tuple[str, ...] = ()
    comparable: str = ""

    def __post_init__(self) -> None:
        """Fill in the data set's name, and check that the parts of the protocol fit each other."""
        object.__setattr__(self, "dataset", self.dataset or self.name)
        assert sum(regression.headline for regression in self.regressions) == 1, self.name
        named = {name for pair in self.swaps for name in pair} | (set(self.unit) if isinstance(self.unit, tuple) else set())
        assert named <= set(self.landmarks), self.name
        assert self.within is None or self.within in self.thresholds, self.name

    @property
    def headline(self) -> Regression:
        """The main regression, whose error is the main number of the benchmark."""
        return next(regression for regression in self.regressions if regression.headline)

    @property
    def exchanged(self) -> NDArray[np.int64] | None:
        """Indices [landmarks] that exchange the landmarks of every pair of `swaps`; None without such pairs."""
        if not self.swaps:
            return None
        order = np.arange(len(self.landmarks))
        for first, second in self.swaps:
            a, b = self.landmarks.index(first), self.landmarks.index(second)
            order[[a, b]] = order[[b, a]]
        return order

    @property
    def metric(self) -> str:
        """The error measure in words."""
        distance = "distance" if self.distance == "euclidean" else "|dx| + |dy|"
        total = f"sum over the landmarks of the mean {distance}" if self.summed else distance
        exchange = ", left and right exchanged where that is nearer" if self.swaps else ""
        printed = "" if self.within is None else f"; the number of the papers is the % within {self.within:g}"
        measure = "pixels of the frame" if self.unit == "pixel" else f"% of {self.normaliser}"
        return f"{total} in {measure}{exchange}{printed}"

    @property
    def normaliser(self) -> str:
        """The length by which distances are divided, in words."""
        if isinstance(self.unit, tuple):
            return f"the distance {self.unit[0]} - {self.unit[1]}"
        words = {
            "box": "the square root of the area of the box around the landmarks",
            "image": "the square root of the frame's area",
            "pixel": "one pixel of the frame",
        }
        return words[self.unit]


def regressions(frame: Frame, headline: Literal["with bias"] | Origin) -> tuple[Regression, ...]:
    """Build the five usual regressions of one frame.

    They are: with bias, without bias for two origins, ridge, and backward. One of the first three is the main
    regression (headline).

    Args:
        frame: coordinates in which the regressions are fitted and measured.
        headline: `with bias`, or the origin (`corner` or `centre`) of the headline regression without bias.
    """
    return (
        Regression(frame=frame, origin="corner", bias=True, headline=headline == "with bias"),
        Regression(frame=frame, origin="corner", bias=False, headline=headline == "corner"),
        Regression(frame=frame, origin="centre", bias=False, headline=headline == "centre"),
        Regression(frame=frame, origin="corner", bias=True, ridge=True),
        Regression(frame=frame, origin="corner", bias=True, backward=True),
    )
