"""What a benchmark consists of: the words in which the named protocols of `benchmarks.protocol.named` are written.

The same keypoints score differently under different protocols: without a bias the origin matters, and an image squashed
to a square weighs x and y differently. So every regression of a protocol is named, exactly one is the headline, and the
others stand in the same table. The data set decides what the number may be called.

Crops
    What a model is shown of an image file. Everything is measured inside of it: frames, units and errors know nothing of the
    rest of the file, and predictions are written in pixels of the file all the same.

Frames and origins
    A frame is the image resized to a fixed (height, width), or the image's own pixels. Pixels as in `kpdetect.coords`.
    `corner`       the outer corner of the image is (0, 0)
    `first pixel`  the centre of the first pixel is (0, 0)
    `centre`       the centre of the image is (0, 0)

Units
    A distance is divided by the unit of its image: the distance between two named landmarks, `box` (the square root of the area
    of the box around the visible landmarks), `image` (the square root of the frame's area), or `pixel` (one pixel of the
    frame: the numbers are pixels, not percent).
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
        name: as shown in tables.
        size: (height, width) every image is stretched to, or None for each image's own pixels.
    """

    name: str
    size: Size | None = None

    def place(self, points_px: NDArray[np.floating], sizes: NDArray[np.integer], origin: Origin) -> NDArray[np.float64]:
        """Points [images, points, 2] in pixels of image files of `sizes` [images, 2] (height, width), in this frame."""
        scale, shift = self._scale_and_shift(sizes, origin)
        return (np.asarray(points_px, np.float64) + 0.5) * scale - shift

    def unplace(self, points: NDArray[np.floating], sizes: NDArray[np.integer], origin: Origin) -> NDArray[np.float64]:
        """The inverse of `place`."""
        scale, shift = self._scale_and_shift(sizes, origin)
        return (np.asarray(points, np.float64) + shift) / scale - 0.5

    def extents(self, sizes: NDArray[np.integer]) -> NDArray[np.float64]:
        """(width, height) [images, 2] of images of `sizes` [images, 2] (height, width) in this frame."""
        own = np.asarray(sizes, np.float64)[:, ::-1]
        return own if self.size is None else np.broadcast_to(np.array(self.size[::-1], np.float64), own.shape)

    def _scale_and_shift(self, sizes: NDArray[np.integer], origin: Origin) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        extent, target = np.asarray(sizes, np.float64)[:, None, ::-1], self.extents(sizes)[:, None]
        shifts = {"corner": 0 * target, "first pixel": 0 * target + 0.5, "centre": target / 2}
        return target / extent, shifts[origin]


@dataclass(frozen=True, kw_only=True)
class Regression:
    """One way to map keypoints to landmarks.

    Attributes:
        frame: where it is fitted and measured.
        origin: what (0, 0) is.
        bias: whether it has a constant term.
        ridge: whether weights are shrunk, by as much as cross-validation inside the fitting images likes best.
        backward: from landmarks to keypoints: large where keypoints do not follow the object (Sanchez & Tzimiropoulos 2019).
        headline: whether its number stands for the benchmark.
    """

    frame: Frame
    origin: Origin
    bias: bool
    ridge: bool = False
    backward: bool = False
    headline: bool = False

    @property
    def name(self) -> str:
        """As shown in tables; with a bias the origin makes no difference and is left out."""
        kind = "ridge with bias" if self.ridge else "with bias" if self.bias else f"{self.origin} origin, no bias"
        return f"{self.frame.name}, {'backward, ' if self.backward else ''}{kind}"


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of an image file, centred on a box that the data set gives for it, in whole pixels.

    Attributes:
        name: as shown in tables.
        scale: side of the square as a multiple of the box's longer side.
        side: side of the square in pixels of the file instead, whatever the box.
        clip: whether the square ends at the image's border, so that it may not stay square; otherwise the image's edge pixels
            are repeated beyond it.
        shift, zoom: by which shares of the side the square is moved along either axis and changed at most; the image's name
            decides by how much.
        fit_only: whether test images are shown whole.
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
    """A benchmark.

    Attributes:
        name: part of every result's name.
        dataset: which loader reads the data, a key of `benchmarks.datasets.loaders`; that of the name unless given.
        subset: which part of the data set, a word of its loader; empty where there is only one.
        images: which images are used, in words.
        split: which images are fitted and which are tested, in words.
        crop: what a model is shown of each; None is the whole image.
        landmarks: names of the landmarks, in the order of the annotation.
        unit: what distances are divided by; see the text of the module.
        distance: between a predicted and an annotated point: `euclidean`, or `taxicab`, |dx| + |dy|.
        regressions: the ways to measure; exactly one is the headline.
        summed: whether the mean errors of the landmarks are added up instead of averaged.
        swaps: pairs of landmarks whose names may be exchanged, all at once, where that lowers an image's error; on the fitting
            images until nothing changes, on the test images once.
        thresholds: errors, in the numbers' unit, up to which a point counts as correct (PCK); the last one is the range of
            the area under the curve.
        within: the threshold whose PCK is the number that papers print, where they print no mean error.
        source: where the protocol comes from, and what of it is this project's choice.
        published: columns of published numbers (`baselines.toml`) that this protocol may be compared with.
        comparable: name of the data whose numbers may be compared with published ones.
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
        """Fill in the data set's name, and check what a typing error would break."""
        object.__setattr__(self, "dataset", self.dataset or self.name)
        assert sum(regression.headline for regression in self.regressions) == 1, self.name
        named = {name for pair in self.swaps for name in pair} | (set(self.unit) if isinstance(self.unit, tuple) else set())
        assert named <= set(self.landmarks), self.name
        assert self.within is None or self.within in self.thresholds, self.name

    @property
    def headline(self) -> Regression:
        """The regression whose number stands for the benchmark."""
        return next(regression for regression in self.regressions if regression.headline)

    @property
    def exchanged(self) -> NDArray[np.int64] | None:
        """Indices of the landmarks with the names of every pair of `swaps` exchanged; None where there is none."""
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
        what = f"sum over the landmarks of the mean {distance}" if self.summed else distance
        free = ", left and right exchanged where that is nearer" if self.swaps else ""
        printed = "" if self.within is None else f"; the number of the papers is the % within {self.within:g}"
        measure = "pixels of the frame" if self.unit == "pixel" else f"% of {self.normaliser}"
        return f"{what} in {measure}{free}{printed}"

    @property
    def normaliser(self) -> str:
        """What distances are divided by, in words."""
        if isinstance(self.unit, tuple):
            return f"the distance {self.unit[0]} - {self.unit[1]}"
        words = {
            "box": "the square root of the area of the box around the landmarks",
            "image": "the square root of the frame's area",
            "pixel": "one pixel of the frame",
        }
        return words[self.unit]


def regressions(frame: Frame, headline: Literal["with bias"] | Origin) -> tuple[Regression, ...]:
    """The usual five in one frame: with bias, without from two origins, ridge, backward; one of the first three leads.

    Args:
        frame: where they are fitted and measured.
        headline: `with bias`, or the origin (`corner` or `centre`) of the one without bias that leads.
    """
    return (
        Regression(frame=frame, origin="corner", bias=True, headline=headline == "with bias"),
        Regression(frame=frame, origin="corner", bias=False, headline=headline == "corner"),
        Regression(frame=frame, origin="centre", bias=False, headline=headline == "centre"),
        Regression(frame=frame, origin="corner", bias=True, ridge=True),
        Regression(frame=frame, origin="corner", bias=True, backward=True),
    )
