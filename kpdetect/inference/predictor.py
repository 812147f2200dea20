"""Images to keypoints in the images' own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from kpdetect.checkpoints import find_weights, load_weights
from kpdetect.config import build_config
from kpdetect.coords import apply_affine, invert_affine, to_pixels
from kpdetect.detector.calibration import Calibration
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.model import Detector, build_detector, read_heatmaps
from kpdetect.errors import CheckpointError, InputError
from kpdetect.files import file_hash
from kpdetect.images import Image, fit_image, read_image
from kpdetect.runtime import DEVICES, DeviceName, Runtime, channels_last, resolve_runtime

BATCH = 32
"""Images predicted at once."""
Keypoints = tuple[NDArray[np.float32], NDArray[np.float32]]
"""`keypoints_px` [..., K, 2] and `confidence` [..., K]."""


class Predictor:
    """A trained detector as a function.

    Attributes:
        description: what the weights file says of itself.
        hash: of the weights file; results are keyed by it.
        keypoints: K.
    """

    def __init__(self, detector: Detector, description: dict[str, Any], weights_hash: str, runtime: Runtime) -> None:
        channels_last(detector)
        self.detector = detector.eval().requires_grad_(False).to(runtime.device)
        self.description, self.hash, self.runtime = description, weights_hash, runtime
        self.calibration = Calibration.read(description.get("calibration"))
        self.keypoints = int(description["keypoints"])
        self.side, self.crop = int(description["pair_size"][0]), description["crop"]

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> Predictor:
        """Read a detector from a project folder, a run folder or a weights file.

        Raises:
            CheckpointError: nothing there, or damaged.
            InputError: an unknown or missing device.
        """
        if device not in DEVICES:
            raise InputError(f"device '{device}': expected one of {', '.join(DEVICES)}")
        weights = find_weights(path, "detector")
        tensors, description = load_weights(weights, "detector")
        config = build_config(DetectorConfig, description["config"], source=str(weights))
        detector = build_detector(config.model, int(description["keypoints"]), initialise=False)
        try:
            detector.load_state_dict(tensors)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{weights}: does not fit the network it describes ({reason:.200}); train it again"
            ) from error
        return cls(detector, description, file_hash(weights), resolve_runtime(cast(DeviceName, device)))

    def __call__(self, images: Image | str | Path | Sequence[Image | str | Path]) -> Keypoints:
        """Predict one image (uint8 RGB [height, width, 3], or a path) or a sequence of them, of any sizes.

        Returns:
            keypoints_px float32 [K, 2] and confidence float32 [K]; for a sequence [count, K, 2] and [count, K].

        Raises:
            InputError: an unreadable file, or an array that is no RGB image.
        """
        single = isinstance(images, (str, Path)) or (isinstance(images, np.ndarray) and images.ndim == 3)
        several = [images] if single else list(cast(Sequence[Image], images))
        if not several:
            return np.empty((0, self.keypoints, 2), np.float32), np.empty((0, self.keypoints), np.float32)
        parts = [
            self.predict_batch([_as_image(item) for item in several[at : at + BATCH]]) for at in range(0, len(several), BATCH)
        ]
        keypoints_px, confidence = (np.concatenate(part) for part in zip(*parts, strict=True))
        return (keypoints_px[0], confidence[0]) if single else (keypoints_px, confidence)

    @torch.inference_mode()
    def predict_batch(self, images: Sequence[Image]) -> Keypoints:
        """Predict images of any sizes in one pass of the network."""
        fitted, matrices = zip(*(fit_image(image, self.side, self.crop) for image in images), strict=True)
        pixels = torch.from_numpy(np.stack(fitted).transpose(0, 3, 1, 2).copy()).to(self.runtime.device)
        with self.runtime.autocast():
            logits = self.detector(pixels.float().div_(127.5).sub_(1))
        keypoints, confidence = read_heatmaps(logits)
        square_px = to_pixels(keypoints.cpu().numpy().astype(np.float64), (self.side, self.side))
        original = [apply_affine(invert_affine(matrix), points) for matrix, points in zip(matrices, square_px, strict=True)]
        return np.stack(original).astype(np.float32), self.calibration(confidence.cpu().numpy())


def _as_image(item: Image | str | Path | Any) -> Image:
    if isinstance(item, (str, Path)):
        return read_image(Path(item))
    if not isinstance(item, np.ndarray) or item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] != 3:
        found = f"{item.dtype} {list(item.shape)}" if isinstance(item, np.ndarray) else type(item).__name__
        raise InputError(f"image: got {found}, expected uint8 RGB [height, width, 3] or a path")
    return item
