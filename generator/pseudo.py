"""Pairs of real images and the keypoints that a detector found in them (pseudo-labels): what another detector learns from, a
smaller one, or one that sees other crops."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.export import export_pairs
from kpdetect.checkpoints import find_weights
from kpdetect.data.originals import originals
from kpdetect.data.schema import Codec
from kpdetect.errors import InputError, OutputError
from kpdetect.files import file_hash, read_json, read_sources
from kpdetect.images import CropPolicy, Image, list_names, read_image
from kpdetect.inference.predictions import RECORD, TABLE, Predictions
from kpdetect.pairs import NOWHERE, PairBatch, fit_labelled

BLOCK = 64
LEAST = 2


class PseudoPairs:
    """Image i of a predictions folder with its keypoints.

    Args:
        found: folder of `kpdetect predict` on images.
        images: folder that its names are relative to.
        size: side of the squares, pixels.
        crop: which part of an image they show.
        min_confidence: keypoints less sure than this are left out.
        workers: threads that read images.

    Attributes:
        sources: (name, hash) of every image.

    Raises:
        InputError: an image is missing, has another size than when it was predicted, or there are too few.
        FormatError: damaged predictions.
    """

    def __init__(
        self, found: Path, images: Path, size: int, crop: CropPolicy, min_confidence: float = 0.0, workers: int = 2
    ) -> None:
        self.predictions, record = Predictions.read(found), read_json(found / RECORD)
        if self.predictions.frames is not None or len(self.predictions.images) < LEAST:
            raise InputError(f"{found}: expected keypoints of at least {LEAST} images, not of a video")
        self.paths = [images / name for name in self.predictions.images]
        if missing := [path for path in self.paths if not path.is_file()]:
            raise InputError(f"{missing[0]}: no such file; {found} names it, give the folder that was predicted")
        if (source := record.get("source")) and Path(str(source)).resolve() != images.resolve():
            told = (
                f"warning: {found} is of the images in {source}; {images} must hold the same pictures, not other crops of them"
            )
            print(told, file=sys.stderr)
        self.keypoints_px, self.crop, self.workers = self.predictions.confident(min_confidence), crop, workers
        self.keypoints, self.size = self.keypoints_px.shape[1], (size, size)
        self.model = str(record.get("model", "unknown"))
        with ThreadPoolExecutor(workers) as pool:
            self.sources = list(zip(self.predictions.images, pool.map(file_hash, self.paths), strict=True))
        self.provenance: dict[str, Any] = {
            "pseudo_labels_of": self.model,
            "table": file_hash(found / TABLE),
            "content": hashlib.sha256(repr(self.sources).encode()).hexdigest()[:16],
            "min_confidence": min_confidence,
            "crop": crop,
        }

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Pairs start <= i < stop.

        Raises:
            InputError: an image is unreadable, or of another size than the one that was predicted.
        """
        with ThreadPoolExecutor(self.workers) as pool:
            for begin in range(start, stop, BLOCK):
                rows = range(begin, min(begin + BLOCK, stop))
                squares, keypoints = zip(*pool.map(self._pair, rows), strict=True)
                points = np.stack(keypoints)
                visible = np.isfinite(points).all(axis=-1) & (np.abs(points) <= 1).all(axis=-1)
                yield PairBatch(images=np.stack(squares), keypoints=np.nan_to_num(points, nan=NOWHERE), visible=visible)

    def _pair(self, row: int) -> tuple[Image, NDArray[np.float32]]:
        image = read_image(self.paths[row])
        if image.shape[:2] != tuple(self.predictions.sizes[row]):
            height, width = self.predictions.sizes[row]
            raise InputError(
                f"{self.paths[row]}: is not the image of {width}x{height} pixels that was predicted; predict again"
            )
        return fit_labelled(image, self.keypoints_px[row], self.size, self.crop)


def write_pseudo_pairs(
    model: Path,
    found: Path,
    images: Path,
    out: Path,
    *,
    size: int = 128,
    crop: CropPolicy = "centre",
    min_confidence: float = 0.0,
    codec: Codec = "jpeg",
    workers: int = 2,
) -> int:
    """Write real images and the keypoints found in them as shards; returns the number of pairs.

    Args:
        model: the detector that found them; the real images behind it are recorded too.
        found, images, size, crop, min_confidence, workers: see `PseudoPairs`.
        out: folder of shards.
        codec: `jpeg` or `raw`.

    Raises:
        InputError: the predictions are another model's, or see `PseudoPairs`.
        CheckpointError: no detector there.
        OutputError: `out` cannot be written, or holds the images, the predictions or the model.
    """
    weights = find_weights(model, "detector")
    pairs = PseudoPairs(found, images, size, crop, min_confidence, workers)
    if pairs.model != file_hash(weights):
        raise InputError(f"{found}: predictions of checkpoint {pairs.model}, but {weights} is {file_hash(weights)}")
    if out.resolve() in (images.resolve(), found.resolve(), weights.parent.resolve()):
        raise OutputError(f"{out}: holds something else; give a folder for the pairs alone")
    names = pairs.predictions.images
    behind = [*pairs.sources, *originals(images, list_names(images), names), *read_sources(weights.parent)]
    export_pairs(pairs, out, len(names), codec=codec, workers=workers, sources=behind)
    return len(names)
