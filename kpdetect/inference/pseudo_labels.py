"""Pairs of real images and their predicted keypoints (pseudo-labels).

Another detector can be trained on such pairs, for example a smaller one, or one that crops images differently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.data.crop_sources import originals
from kpdetect.data.export import write_shards
from kpdetect.data.schema import Codec
from kpdetect.errors import InputError, OutputError
from kpdetect.files.archives.members import exists
from kpdetect.files.archives.opening import reopened
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import read_sources
from kpdetect.images.arrays import CropPolicy, Image
from kpdetect.images.image_files import list_names, read_image
from kpdetect.inference.prediction_record import PredictionRecord, read_prediction_record
from kpdetect.inference.predictions import TABLE, Predictions
from kpdetect.messages import log
from kpdetect.pairs import NOWHERE, PairBatch, fit_labelled
from kpdetect.training.checkpoints import find_weights
from kpdetect.training.processes import ALONE, Peers

BLOCK = 64
LEAST = 2


class PseudoPairs:
    """The images of a predictions folder, each as a pair with its predicted keypoints. Pair i holds image i.

    Args:
        folders: folders that `kpdetect predict` wrote for the same images. Their keypoints and confidences are averaged.
        images: folder that the names of the images are relative to.
        size: side of the square images, in pixels.
        crop: crop policy of the square images.
        min_confidence: keypoints below this confidence are left out.
        workers: number of threads that read images.
        peers: processes that make the same pairs. Each hashes a part of the images.

    Attributes:
        sources: (name, hash) of every image.

    Raises:
        InputError: there are too few images, or an image is missing or has changed since it was predicted. Or the folders
            differ in their images, the sizes of the images, or the keypoints.
        FormatError: the predictions are damaged.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        images: Path,
        size: int,
        crop: CropPolicy,
        min_confidence: float = 0.0,
        workers: int = 2,
        peers: Peers = ALONE,
    ) -> None:
        self.predictions, records = averaged(folders), [read_prediction_record(folder) for folder in folders]
        reopened(images, self.predictions.images[0])
        self.paths = [images / name for name in self.predictions.images]
        if missing := [path for path in self.paths if not exists(path)]:
            raise InputError(f"{missing[0]}: no such file, but {folders[0]} names it; give the folder of the predicted images")
        self.keypoints_px, self.crop, self.workers = self.predictions.confident(min_confidence), crop, workers
        self.keypoints, self.size = self.keypoints_px.shape[1], (size, size)
        self.models = [record.model for record in records]
        with ThreadPoolExecutor(workers) as pool:
            digests = peers.gathered(list(pool.map(file_hash, peers.share(self.paths))))
        self.sources = [
            (name, digests[number % peers.world][number // peers.world]) for number, name in enumerate(self.predictions.images)
        ]
        for folder, record in zip(folders, records, strict=True):
            _require_same(folder, record, self.sources, images)
        self.provenance: dict[str, Any] = {
            "pseudo_labels_of": ",".join(self.models),
            "table": ",".join(file_hash(folder / TABLE) for folder in folders),
            "content": hashlib.sha256(repr(self.sources).encode()).hexdigest()[:16],
            "min_confidence": min_confidence,
            "crop": crop,
        }
        if (discovery := discovery_of(records)) is not None:
            self.provenance["discovery"] = discovery

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield pairs start <= i < stop.

        Raises:
            InputError: an image is unreadable, or its size differs from that of the predicted image.
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
                f"{self.paths[row]}: got {image.shape[1]}x{image.shape[0]} pixels, expected the predicted image of "
                f"{width}x{height}; predict again"
            )
        return fit_labelled(image, self.keypoints_px[row], self.size, self.crop)


def discovery_of(records: Sequence[PredictionRecord]) -> str | None:
    """Return how the keypoints were discovered if no generator did it; None in any other case."""
    named = [(record.description.get("provenance") or {}).get("discovery") for record in records]
    return next((name for name in named if name), None)


def averaged(folders: Sequence[Path]) -> Predictions:
    """Average several predictions of the same images, in the order of the first folder.

    Raises:
        InputError: there are too few images, or the predictions are those of a video. Or the folders differ in their images,
            the sizes of the images, or the keypoints.
        FormatError: the predictions are damaged.
    """
    every = [Predictions.read(folder) for folder in folders]
    first = every[0]
    if first.frames is not None or len(first.images) < LEAST:
        raise InputError(f"{folders[0]}: expected predictions of at least {LEAST} images, not of a video")
    points, sure = [first.keypoints_px], [first.confidence]
    for folder, other in zip(folders[1:], every[1:], strict=True):
        place = {name: row for row, name in enumerate(other.images)}
        if place.keys() != set(first.images) or other.keypoints_px.shape != first.keypoints_px.shape:
            raise InputError(f"{folder}: expected as many keypoints of the same images as in {folders[0]}")
        if other.points.numbers != first.points.numbers:
            got, expected = (", ".join(map(str, each.points.numbers)) for each in (other, first))
            raise InputError(
                f"{folder}: got the keypoints {got}, expected {expected} as in {folders[0]}; "
                "drop the same keypoints of both models and predict again"
            )
        order = [place[name] for name in first.images]
        if (other.sizes[order] != first.sizes).any():
            raise InputError(f"{folder}: the sizes of its images differ from those in {folders[0]}; predict the same images")
        points.append(other.keypoints_px[order])
        sure.append(other.confidence[order])
    return replace(first, keypoints_px=np.mean(points, axis=0), confidence=np.mean(sure, axis=0))


def _require_same(folder: Path, record: PredictionRecord, sources: Sequence[tuple[str, str]], images: Path) -> None:
    """Check that the images are the files that were predicted. Other files of the same names may show other crops."""
    predicted, source = record.files, record.source
    if predicted is None:  # earlier versions recorded no hashes
        if source and Path(source).resolve() != images.resolve():
            log.warning(
                f"{folder} holds predictions of the images in {source}; "
                f"make sure that {images} holds the same images, not other crops of them"
            )
        return
    if other := [name for name, digest in sources if predicted.get(name) != digest]:
        raise InputError(
            f"{images / other[0]}: this is not the file that was predicted in {folder} ({len(other)} of {len(sources)} files "
            "differ); give the predicted images, or predict these images"
        )


def write_pseudo_pairs(
    model: Path,
    predictions: Path,
    images: Path,
    out: Path,
    *,
    size: int = 128,
    crop: CropPolicy = "centre",
    min_confidence: float = 0.0,
    codec: Codec = "jpeg",
    workers: int = 2,
    others: Sequence[tuple[Path, Path]] = (),
    peers: Peers = ALONE,
) -> int:
    """Write real images and their predicted keypoints as shards.

    Args:
        model: the detector that made the predictions. The real images that it was trained on are recorded with the pairs.
        predictions: folder that `kpdetect predict` wrote for the images.
        images, size, crop, min_confidence, workers: see `PseudoPairs`.
        out: folder of shards.
        codec: `jpeg` or `raw`.
        others: further detectors, each with the folder of its predictions of the same images. All predictions are averaged.
            Keypoint k must mean the same for all detectors, as it does if one was trained from the other.
        peers: processes that make this call together. Each writes a part of the shards.

    Returns:
        The number of pairs.

    Raises:
        InputError: another model made the predictions, or `PseudoPairs` refuses them.
        CheckpointError: there is no detector at `model`.
        OutputError: `out` cannot be written, or is the folder of the images, the predictions or the model.
    """
    teachers = [(find_weights(path, "detector"), folder) for path, folder in [(model, predictions), *others]]
    pairs = PseudoPairs([folder for _, folder in teachers], images, size, crop, min_confidence, workers, peers)
    for (weights, folder), made_by in zip(teachers, pairs.models, strict=True):
        if made_by != file_hash(weights):
            raise InputError(
                f"{folder}: the model {made_by} made these predictions, but {weights} is {file_hash(weights)}; "
                "give the model that predicted"
            )
    taken = [images, *(folder for _, folder in teachers), *(weights.parent for weights, _ in teachers)]
    if out.resolve() in [folder.resolve() for folder in taken]:
        raise OutputError(f"{out}: this folder holds images, predictions or a model; give another folder for the pairs")
    names = pairs.predictions.images
    behind = [*pairs.sources, *originals(images, list_names(images), names)]
    behind += [row for weights, _ in teachers for row in read_sources(weights.parent)]
    write_shards(pairs, out, len(names), codec=codec, workers=workers, sources=behind, peers=peers)
    return len(names)
