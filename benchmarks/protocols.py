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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import Size
from kpdetect.errors import InputError

Origin = Literal["corner", "first pixel", "centre"]
DatasetName = Literal["celeba", "toy"]


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

    def _scale_and_shift(self, sizes: NDArray[np.integer], origin: Origin) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        extent = np.asarray(sizes, np.float64)[:, None, ::-1]  # (width, height)
        target = extent if self.size is None else np.broadcast_to(np.array(self.size[::-1], np.float64), extent.shape)
        shifts = {"corner": 0 * target, "first pixel": 0 * target + 0.5, "centre": target / 2}
        return target / extent, shifts[origin]


@dataclass(frozen=True, kw_only=True)
class Regression:
    """One way to map keypoints to landmarks."""

    frame: Frame
    origin: Origin
    bias: bool
    headline: bool = False

    @property
    def name(self) -> str:
        """As shown in tables; with a bias the origin makes no difference and is left out."""
        return f"{self.frame.name}, with bias" if self.bias else f"{self.frame.name}, {self.origin} origin, no bias"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A benchmark.

    Attributes:
        name: part of every result's name.
        dataset: which loader reads the data, see `benchmarks.datasets`.
        landmarks: names of the landmarks, in the order of the annotation.
        normaliser: names of the two landmarks whose distance is the unit of the error.
        regressions: the ways to measure; exactly one is the headline.
        metric: the error measure.
        source: where the protocol comes from.
        published: columns of published numbers (`baselines.toml`) that this protocol may be compared with, by data
            name.
    """

    name: str
    dataset: DatasetName
    landmarks: tuple[str, ...]
    normaliser: tuple[str, str]
    regressions: tuple[Regression, ...]
    metric: str = "nme_interocular_percent"
    source: str
    published: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what a typing error would break."""
        assert sum(regression.headline for regression in self.regressions) == 1, self.name
        assert set(self.normaliser) <= set(self.landmarks), self.name

    @property
    def headline(self) -> Regression:
        """The regression whose number stands for the benchmark."""
        return next(regression for regression in self.regressions if regression.headline)

    @property
    def normaliser_indices(self) -> tuple[int, int]:
        """Positions of the two landmarks of `normaliser`."""
        first, second = self.normaliser
        return self.landmarks.index(first), self.landmarks.index(second)


SQUARE_128 = Frame(name="128x128", size=(128, 128))
CELEBA_PIXELS = Frame(name="178x218 px", size=(218, 178))
OWN_PIXELS = Frame(name="image px")

MAFL_ALIGNED = Protocol(
    name="mafl-aligned",
    dataset="celeba",
    landmarks=("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"),
    normaliser=("left_eye", "right_eye"),
    regressions=(
        Regression(frame=SQUARE_128, origin="corner", bias=False, headline=True),
        Regression(frame=SQUARE_128, origin="corner", bias=True),
        Regression(frame=SQUARE_128, origin="centre", bias=False),
        Regression(frame=CELEBA_PIXELS, origin="first pixel", bias=True),
        Regression(frame=CELEBA_PIXELS, origin="first pixel", bias=False),
        Regression(frame=CELEBA_PIXELS, origin="centre", bias=False),
    ),
    source="He, Wandt, Rhodin 2021, section 4.7; frame, origin and mean of ratios as in GANSeg's code (2022)",
    published=("aligned_k10",),
)

TOY = Protocol(
    name="toy",
    dataset="toy",
    landmarks=("left_eye", "right_eye", "nose", "mouth_left", "mouth_right"),
    normaliser=("left_eye", "right_eye"),
    regressions=(
        Regression(frame=OWN_PIXELS, origin="corner", bias=True, headline=True),
        Regression(frame=OWN_PIXELS, origin="corner", bias=False),
        Regression(frame=OWN_PIXELS, origin="centre", bias=False),
    ),
    source="this project: procedural images with exact landmarks (kpdetect toy)",
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (MAFL_ALIGNED, TOY)}


def find_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"protocol '{name}' does not exist; choose one of: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
