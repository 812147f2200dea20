"""What a benchmark is: frozen, named objects. The name of the protocol is part of every result.

The same keypoints score differently under different protocols: without a bias the origin matters, and an image squashed
to a square weighs x and y differently. So every regression of a protocol is named, exactly one is the headline, and the
others stand in the same table. The data set decides which images are fitted and tested and what the number may be
called.

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
from kpdetect.errors import InputError

Origin = Literal["corner", "first pixel", "centre"]
Unit = tuple[str, str] | Literal["box", "image", "pixel"]


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
class Protocol:
    """A benchmark.

    Attributes:
        name: part of every result's name.
        dataset: which loader reads the data, a key of `benchmarks.datasets.loaders`.
        landmarks: names of the landmarks, in the order of the annotation.
        unit: what distances are divided by; see the text of the module.
        regressions: the ways to measure; exactly one is the headline.
        summed: whether the errors of an image are added up instead of averaged.
        swaps: pairs of landmarks whose names may be exchanged, all at once, where that lowers an image's error.
        thresholds: errors, in the numbers' unit, up to which a point counts as correct (PCK); the last one is the range of
            the area under the curve.
        source: where the protocol comes from.
        published: columns of published numbers (`baselines.toml`) that this protocol may be compared with.
        comparable: name of the data whose numbers may be compared with published ones.
    """

    name: str
    dataset: str
    landmarks: tuple[str, ...]
    unit: Unit
    regressions: tuple[Regression, ...]
    summed: bool = False
    swaps: tuple[tuple[str, str], ...] = ()
    thresholds: tuple[float, ...] = (2, 5, 10)
    source: str
    published: tuple[str, ...] = ()
    comparable: str = ""

    def __post_init__(self) -> None:
        """Check what a typing error would break."""
        assert sum(regression.headline for regression in self.regressions) == 1, self.name
        named = {name for pair in self.swaps for name in pair} | (set(self.unit) if isinstance(self.unit, tuple) else set())
        assert named <= set(self.landmarks), self.name

    @property
    def headline(self) -> Regression:
        """The regression whose number stands for the benchmark."""
        return next(regression for regression in self.regressions if regression.headline)

    @property
    def metric(self) -> str:
        """The error measure in words."""
        what = "sum of the distances of an image's points" if self.summed else "distance"
        if self.unit == "pixel":
            return f"{what} in pixels of the frame"
        if isinstance(self.unit, tuple):
            return f"{what} in % of the distance {self.unit[0]} - {self.unit[1]}"
        areas = {"box": "the box around the landmarks", "image": "the image"}
        return f"{what} in % of the square root of the area of {areas[self.unit]}"


SQUARE_128 = Frame(name="128x128", size=(128, 128))
CELEBA_PIXELS = Frame(name="178x218 px", size=(218, 178))
OWN_PIXELS = Frame(name="image px")

FACE = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
EYES = ("left_eye", "right_eye")
SQUARE_REGRESSIONS = (
    Regression(frame=SQUARE_128, origin="corner", bias=False, headline=True),
    Regression(frame=SQUARE_128, origin="corner", bias=True),
    Regression(frame=SQUARE_128, origin="centre", bias=False),
    Regression(frame=SQUARE_128, origin="corner", bias=True, ridge=True),
    Regression(frame=SQUARE_128, origin="corner", bias=True, backward=True),
)
OWN_REGRESSIONS = (
    Regression(frame=OWN_PIXELS, origin="corner", bias=True, headline=True),
    Regression(frame=OWN_PIXELS, origin="corner", bias=False),
    Regression(frame=OWN_PIXELS, origin="centre", bias=False),
    Regression(frame=OWN_PIXELS, origin="corner", bias=True, ridge=True),
    Regression(frame=OWN_PIXELS, origin="corner", bias=True, backward=True),
)

MAFL_ALIGNED = Protocol(
    name="mafl-aligned",
    dataset="mafl",
    landmarks=FACE,
    unit=EYES,
    regressions=(
        *SQUARE_REGRESSIONS,
        Regression(frame=CELEBA_PIXELS, origin="first pixel", bias=True),
        Regression(frame=CELEBA_PIXELS, origin="first pixel", bias=False),
        Regression(frame=CELEBA_PIXELS, origin="centre", bias=False),
    ),
    source="He, Wandt, Rhodin 2021, section 4.7; frame, origin and mean of ratios as in GANSeg's code (2022)",
    published=("aligned_k10",),
    comparable="mafl",
)

MTFL = Protocol(
    name="mtfl",
    dataset="mtfl",
    landmarks=FACE,
    unit=EYES,
    regressions=SQUARE_REGRESSIONS,
    source="Zhang et al. 2014's images and points; split and measure are this project's, the measure as mafl-aligned's",
)

FLIES = Protocol(
    name="flies",
    dataset="flies",
    landmarks=("head", "thorax", "abdomen", "eyeL", "eyeR"),
    unit=("head", "abdomen"),
    regressions=OWN_REGRESSIONS,
    source="this project: crops of SLEAP's fruit-fly example, split by time",
)

TOY = Protocol(
    name="toy",
    dataset="toy",
    landmarks=("left_eye", "right_eye", "nose", "mouth_left", "mouth_right"),
    unit=EYES,
    regressions=OWN_REGRESSIONS,
    source="this project: procedural images with exact landmarks (kpdetect toy)",
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (MAFL_ALIGNED, MTFL, FLIES, TOY)}


def find_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"protocol '{name}' does not exist; choose one of: {', '.join(PROTOCOLS)}, or table:FILE")
    return PROTOCOLS[name]


def print_protocols() -> None:
    """One line per protocol: name, error measure, source."""
    width = max(map(len, PROTOCOLS))
    for name, protocol in PROTOCOLS.items():
        print(f"{name:{width}}  {protocol.metric}; {protocol.source}")
