"""Real images as a generator sees them: squares of its image size and crop, with detected keypoints and true masks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.stream import PairStream
from kpdetect.coords import apply_affine, to_normalised
from kpdetect.errors import InputError
from kpdetect.images.arrays import CropPolicy, Image, fit_image
from kpdetect.images.image_files import read_image, readable
from kpdetect.inference.predictor import Predictor
from kpdetect.progress import Progress
from kpdetect.toy.dataset import RECORD
from kpdetect.training.processes import ALONE, Peers

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Squares:
    """Real images as squares of a generator's image size and crop.

    Attributes:
        paths: the readable files.
        images: uint8 [images, size, size, 3]; grey if the generator draws grey images.
        keypoints: [images, K, 2], detected in the whole image, normalised in the square; None without a detector.
        crop: policy that selects the part of a picture that the square shows.
    """

    paths: list[Path]
    images: Image
    keypoints: NDArray[np.float64] | None
    crop: CropPolicy


def read_squares(paths: list[Path], stream: PairStream, predictor: Predictor | None = None, peers: Peers = ALONE) -> Squares:
    """Read images as squares for a generator; leave unreadable files out with a warning.

    If several processes measure together, each of them reads all images and detects keypoints in its part of them.

    Raises:
        InputError: fewer than two images can be read.
    """
    size, crop = stream.size[0], stream.provenance["crop"]
    kept, squares, own = [], [], []
    mine = set(peers.share(range(0, len(paths), BATCH)))
    with Progress(len(paths), "read images") as progress:
        for start in range(0, len(paths), BATCH):
            read = list(readable(paths[start : start + BATCH]))
            fitted = [fit_image(image, size, crop) for _, image in read]
            kept += [path for path, _ in read]
            squares += [_grey(square) if stream.network.config.channels == 1 else square for square, _ in fitted]
            if predictor is not None and start in mine:
                detected: Iterable[NDArray[np.floating]] = predictor([image for _, image in read])[0] if read else ()
                moved = [apply_affine(matrix, points) for (_, matrix), points in zip(fitted, detected, strict=True)]
                own.append([to_normalised(points, (size, size)) for points in moved])
            progress.update(min(BATCH, len(paths) - start))
    keypoints = [points for part in peers.merged(own) for points in part]
    if len(kept) < 2:
        raise InputError(f"{len(kept)} readable images of {len(paths)}; expected at least 2")
    return Squares(paths=kept, images=np.stack(squares), keypoints=np.stack(keypoints) if keypoints else None, crop=crop)


def require_match(stream: PairStream, predictor: Predictor) -> None:
    """Check that a generator and a detector can belong to one project.

    Raises:
        InputError: the generator and the detector have different numbers of keypoints.
    """
    if predictor.keypoints != stream.keypoints:
        counts = f"the generator has {stream.keypoints} keypoints and the detector {predictor.keypoints}"
        raise InputError(f"{counts}; expected equal numbers: give a generator and a detector of one project")


def read_masks(images: Path, squares: Squares) -> NDArray[np.bool_] | None:
    """Read the true foreground masks [images, size, size] of a toy set; return None for other folders.

    Raises:
        InputError: a mask file is missing.
    """
    if not (images.parent / RECORD).is_file():
        return None
    side = squares.images.shape[1]
    masks = [read_image(images.parent / "masks" / path.name) for path in squares.paths]
    return np.stack([fit_image(mask, side, squares.crop)[0][..., 0] > 127 for mask in masks])


def _grey(square: Image) -> Image:
    """Make an image grey (ITU-R BT.601), as the generator's training does."""
    return np.repeat(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
