"""The pose of a real image: the keypoints that the detector of the same project predicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from generator.editing.editor import Editor
from kpdetect.errors import InputError
from kpdetect.images.arrays import CropPolicy, Image, fit_image
from kpdetect.images.image_files import read_image


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A real image whose keypoints pose the samples.

    Attributes:
        square: uint8 [size, size, 3], the detector's input square at the generator's size.
        record: JSON-ready description: the file, the detector, and the detector's confidence.
    """

    square: Image
    record: dict[str, Any]


class Detector(Protocol):
    """The interface of `kpdetect.inference.predictor.Predictor`, which the generator does not import."""

    hash: str
    keypoints: int
    crop: CropPolicy

    def fit(self, image: Image) -> Any:
        """Return the square of an image that the network sees, uint8 [side, side, 3]."""

    def read_squares(self, squares: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict normalised keypoints [count, K, 2] and confidence [count, K]."""


def find_pose(detector: Detector, image: Path | str, editor: Editor) -> tuple[NDArray[np.float32], Photo]:
    """Predict normalised keypoints [K, 2] in a real image, and describe the image for the record.

    Args:
        detector: detector of the same project as the generator, for example from `kpdetect.load`.
        image: file of the real image.
        editor: the generator.

    Raises:
        InputError: the image cannot be read, or generator and detector differ in their number of keypoints.
    """
    picture = read_image(Path(image))
    if detector.keypoints != editor.stream.keypoints:
        raise InputError(
            f"a generator of {editor.stream.keypoints} keypoints and a detector of {detector.keypoints}; expected one project"
        )
    keypoints, confidence = detector.read_squares(detector.fit(picture).square[None])
    record = {
        "image": str(image),
        "detector": detector.hash,
        "confidence": [round(float(value), 3) for value in confidence[0]],
    }
    square = fit_image(picture, editor.size[0], detector.crop)[0]
    return keypoints[0], Photo(square=square, record=record)
