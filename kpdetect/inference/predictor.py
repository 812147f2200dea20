"""A trained detector as a function: from images to keypoints in pixels of each image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kpdetect.config import build_config
from kpdetect.coords import Affine, apply_affine, crop_resize_affine, invert_affine, to_pixels
from kpdetect.detector.calibration import Calibration
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.model import build_detector
from kpdetect.detector.network import Detector
from kpdetect.errors import InputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.arrays import Image, as_image, fit_box, fit_image, fit_region, kind_of
from kpdetect.images.decoding import opened_and_hashed
from kpdetect.images.reduced import MARGIN, factor_for, read_reduced
from kpdetect.inference.engine import build_engine, settled
from kpdetect.inference.labels import LABELS, Labels, read_labels
from kpdetect.messages import log
from kpdetect.training.checkpoints import fill, find_weights, require_widths
from kpdetect.training.described_weights import load_described
from kpdetect.training.model_description import DetectorDescription
from kpdetect.training.runtime import DeviceName, EngineName, Precision, Runtime, channels_last, one_thread, resolve_runtime

BATCH = 32
"""Number of images in one pass of the network."""
Keypoints = tuple[NDArray[np.float32], NDArray[np.float32]]
"""`keypoints_px` [..., K, 2] and `confidence` [..., K]."""
Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels, measured at pixel edges: (0, 0, W, H) is a whole image."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """An image after cropping and resizing to the square that the network sees.

    Attributes:
        square: uint8 [side, side, 3].
        matrix: map from the image's pixels to the square's pixels.
        size: (height, width) of the image.
    """

    square: Image
    matrix: Affine
    size: tuple[int, int]

    @property
    def edges(self) -> NDArray[np.float64]:
        """[[left, top], [right, bottom]] of the part that the square shows, in the image's pixels, measured at pixel edges."""
        height, width = self.square.shape[:2]
        corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
        return apply_affine(invert_affine(self.matrix), corners) + 0.5


class Predictor:
    """A trained detector as a function.

    Attributes:
        description: the description inside the weights file.
        hash: hash of the weights file. Results record it.
        keypoints: K. A detector always returns all K keypoints, dropped or not.
        labels: names, pairs, links and dropped keypoints, from `keypoints.yaml` in the folder of the weights.
        skeleton: the keypoints that the labels do not drop.
        engine: the implementation that computes the network, see `kpdetect.inference.engine`.
    """

    def __init__(
        self,
        detector: Detector,
        description: DetectorDescription,
        weights_hash: str,
        runtime: Runtime,
        labels: Labels | None = None,
        engine: EngineName = "plain",
    ) -> None:
        channels_last(detector)
        self.detector = detector.eval().requires_grad_(False).to(runtime.device)
        self.description, self.hash, self.runtime = description, weights_hash, runtime
        self.calibration = Calibration.read(description.calibration)
        self.keypoints = description.keypoints
        self.side, self.crop = description.pair_size[0], description.crop
        self.engine, self.chooses = build_engine(engine, self.detector, runtime, self.side), engine == "auto"
        self.labels = labels or Labels()
        self.skeleton = self.labels.skeleton(self.keypoints)

    @classmethod
    @one_thread()
    def load(
        cls,
        path: Path | str,
        device: str = "auto",
        *,
        labels: Labels | None = None,
        engine: EngineName = "plain",
        precision: Precision = "auto",
    ) -> Predictor:
        """Read a detector from a project folder, a run folder or a weights file.

        Args:
            path: the folder or file, or the name of a model that comes with the package.
            device: `auto`, `cpu` or `cuda`.
            labels: labels to use in place of those in the folder of the weights.
            engine: name of the implementation, see `kpdetect.inference.engine`.
            precision: number format of the network: `auto`, `float32` or `bfloat16`.

        Raises:
            CheckpointError: there is no detector, or its weights are damaged.
            InputError: the device, engine or precision is unknown or missing.
            ConfigError: the labels in the folder of the weights do not fit the detector.
        """
        runtime = resolve_runtime(cast(DeviceName, device), precision)
        weights = find_weights(Path(path), "detector")
        tensors, description = load_described(weights, DetectorDescription)
        config = build_config(DetectorConfig, description.config, source=str(weights))
        require_widths([config.model.head_width], tensors, weights)
        detector = build_detector(config.model, description.keypoints, initialise=False)
        fill(detector, tensors, weights)
        labels = labels or read_labels(weights, description.keypoints)
        digest = file_hash(weights)
        if labels.weights and not labels.are_of(digest):
            log.warning(f"{weights.parent / LABELS} was written for other weights; check the labels with `kpdetect label`")
        return cls(detector, description, digest, runtime, labels, engine)

    def settle(self, images: int) -> None:
        """Choose the engine for this number of images if `auto` was requested, see `kpdetect.inference.engine.settled`."""
        if self.chooses:
            self.engine = settled(self.engine, self.detector, self.runtime, self.side, self.hash, images)
            self.chooses = self.engine.name == "torch"

    def __call__(self, images: Image | str | Path | Sequence[Image | str | Path]) -> Keypoints:
        """Predict one image, or several.

        Args:
            images: an image (array uint8 RGB [height, width, 3], or path), a list of images, or [count, height, width, 3].

        Returns:
            keypoints_px float32 [K, 2] and confidence float32 [K]; for several images [count, K, 2] and [count, K].

        Raises:
            InputError: a file cannot be read, or an array is no RGB image.
        """
        single = isinstance(images, (str, Path)) or (isinstance(images, np.ndarray) and images.ndim != 4)
        several: list[Any] = [images] if single or not isinstance(images, Iterable) else list(images)
        parts = [self.predict_batch(several[at : at + BATCH]) for at in range(0, max(1, len(several)), BATCH)]
        keypoints_px, confidence = (np.concatenate(part) for part in zip(*parts, strict=True))
        return (keypoints_px[0], confidence[0]) if single else (keypoints_px, confidence)

    def predict_batch(self, images: Sequence[Image | str | Path]) -> Keypoints:
        """Predict images of any sizes in one pass of the network. For no images, return arrays [0, K, 2] and [0, K].

        Raises:
            InputError: a file cannot be read, or an array is no RGB image.
        """
        return self.predict_fitted([self.fit(image) for image in images])

    def fit(self, image: Image | str | Path, box: Box | None = None) -> Fitted:
        """Crop and resize an image, or its part `box`, to the square that the network sees. See `square_box`.

        Raises:
            InputError: the image is no RGB image, or the box is less than a pixel wide or high.
        """
        if isinstance(image, (str, Path)):
            return self.fit_file(Path(image), lambda size: box)[0]
        image = as_image(image)
        if box is None:
            square, matrix = fit_image(image, self.side, self.crop)
        else:
            _require_box(box)
            square, matrix = fit_region(image, box, self.side), crop_resize_affine(box, (self.side, self.side))
        return Fitted(square=square, matrix=matrix, size=(image.shape[0], image.shape[1]))

    def fit_file(
        self, path: Path | str, box_of: Callable[[tuple[int, int]], Box | None] = lambda size: None
    ) -> tuple[Fitted, str]:
        """Crop and resize an image file to the square that the network sees, and compute the hash of the file.

        Args:
            path: the file. Unless the engine is `plain`, large JPEG files are decoded smaller (`kpdetect.images.reduced`).
            box_of: function from the image's (height, width) to the box for `fit`.

        Raises:
            InputError: the file cannot be read. Errors of `box_of` are raised too.
        """

        def box(size: tuple[int, int]) -> Box:
            return box_of(size) or fit_box(size, self.crop)

        def factor(size: tuple[int, int]) -> int:
            return 1 if self.engine.name == "plain" else factor_for(box(size)[2:], MARGIN * self.side)

        path = Path(path)
        with opened_and_hashed(path) as (picture, digest):
            image = read_reduced(picture, path, factor)
        if image.factor == 1:
            return self.fit(image.pixels, box_of(image.size)), digest
        shown = box(image.size)
        matrix = crop_resize_affine(shown, (self.side, self.side))
        return Fitted(square=image.square(shown, self.side), matrix=matrix, size=image.size), digest

    def fit_parts(self, image: Image, boxes: Sequence[Box]) -> list[Fitted]:
        """Crop and resize several parts of an image to squares that the network sees."""
        return [self.fit(image, box) for box in boxes]

    def square_box(self, box: Box) -> Box:
        """Round a box (left, top, width, height) to whole pixels. Unless the crop policy is stretch, widen it to a square."""
        left, top, width, height = box
        if self.crop != "stretch":
            side = max(width, height)
            left, top, width, height = left + (width - side) / 2, top + (height - side) / 2, side, side
        return float(round(left)), float(round(top)), float(max(1, round(width))), float(max(1, round(height)))

    def predict_fitted(self, fitted: Sequence[Fitted], mirror: NDArray[np.int64] | None = None) -> Keypoints:
        """Predict fitted squares in one pass of the network.

        Args:
            fitted: squares from `fit`.
            mirror: int [K], partner to average each keypoint with, on the mirrored square; -1 for none. None: no averaging.

        Returns:
            `keypoints_px` float32 [count, K, 2] in the original images' pixels, and `confidence` float32 [count, K].
        """
        if not fitted:
            return self._none()
        squares = np.stack([item.square for item in fitted])
        keypoints, confidence = self.read_squares(squares)
        if mirror is not None:
            keypoints, confidence = _averaged(keypoints, confidence, *self.read_squares(squares[:, :, ::-1]), mirror)
        square_px = to_pixels(keypoints.astype(np.float64), (self.side, self.side))
        original = [apply_affine(invert_affine(item.matrix), points) for item, points in zip(fitted, square_px, strict=True)]
        return np.stack(original).astype(np.float32), confidence

    def read_squares(self, squares: Image) -> Keypoints:
        """Predict normalised keypoints [count, K, 2] and confidence [count, K] of squares uint8 [count, side, side, 3].

        Raises:
            InputError: the squares have another shape or type.
        """
        shape = (self.side, self.side, 3)
        if not isinstance(squares, np.ndarray) or squares.dtype != np.uint8 or squares.shape[1:] != shape:
            side = self.side
            raise InputError(
                f"squares: got {kind_of(squares)}, expected uint8 RGB [count, {side}, {side}, 3]; use predictor.fit"
            )
        if not len(squares):
            return self._none()
        keypoints, mass = self.engine(squares)
        return keypoints, self.calibration(mass)

    def _none(self) -> Keypoints:
        return np.empty((0, self.keypoints, 2), np.float32), np.empty((0, self.keypoints), np.float32)


def _averaged(
    keypoints: NDArray[np.float32],
    confidence: NDArray[np.float32],
    mirrored: NDArray[np.float32],
    mirrored_confidence: NDArray[np.float32],
    mirror: NDArray[np.int64],
) -> Keypoints:
    back, sure = unmirror(mirrored)[:, mirror], mirrored_confidence[:, mirror]
    back[:, mirror < 0], sure[:, mirror < 0] = keypoints[:, mirror < 0], confidence[:, mirror < 0]
    half = np.float32(0.5)
    return half * (keypoints + back), half * (confidence + sure)


def unmirror(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map normalised keypoints [..., 2] of a mirrored image back to the image itself."""
    return keypoints * np.array([-1, 1], dtype=keypoints.dtype)


def _require_box(box: Box) -> None:
    if len(box) != 4 or not all(map(math.isfinite, box)) or round(box[2]) < 1 or round(box[3]) < 1:
        values = ", ".join(f"{value:g}" for value in box)
        raise InputError(f"box ({values}): expected (left, top, width, height) in pixels, width and height at least 1")
