"""Pairs of real images and the keypoints that a detector found in them (pseudo-labels): what another detector learns from, a
smaller one, or one that sees other crops."""

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
from kpdetect.data.export import export_pairs
from kpdetect.data.schema import Codec
from kpdetect.errors import InputError, OutputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import read_sources
from kpdetect.images.arrays import CropPolicy, Image
from kpdetect.images.image_files import list_names, read_image
from kpdetect.inference.prediction_record import PredictionRecord, read_prediction_record
from kpdetect.inference.predictions import TABLE, Predictions
from kpdetect.messages import log
from kpdetect.pairs import NOWHERE, PairBatch, fit_labelled
from kpdetect.training.checkpoints import find_weights

BLOCK = 64
LEAST = 2


class PseudoPairs:
    """Image i of a predictions folder with its keypoints.

    Args:
        found: folders of `kpdetect predict` on the same images; keypoints and confidences of several are averaged.
        images: folder that their names are relative to.
        size: side of the squares, pixels.
        crop: which part of an image they show.
        min_confidence: keypoints less sure than this are left out.
        workers: threads that read images.

    Attributes:
        sources: (name, hash) of every image.

    Raises:
        InputError: an image is missing, is another file than the one that was predicted, or there are too few; or folders are
            of other images, sizes or numbers of keypoints than the first.
        FormatError: damaged predictions.
    """

    def __init__(
        self,
        found: Sequence[Path],
        images: Path,
        size: int,
        crop: CropPolicy,
        min_confidence: float = 0.0,
        workers: int = 2,
    ) -> None:
        self.predictions, records = averaged(found), [read_prediction_record(folder) for folder in found]
        self.paths = [images / name for name in self.predictions.images]
        if missing := [path for path in self.paths if not path.is_file()]:
            raise InputError(f"{missing[0]}: no such file; {found[0]} names it, give the folder that was predicted")
        self.keypoints_px, self.crop, self.workers = self.predictions.confident(min_confidence), crop, workers
        self.keypoints, self.size = self.keypoints_px.shape[1], (size, size)
        self.models = [record.model for record in records]
        with ThreadPoolExecutor(workers) as pool:
            self.sources = list(zip(self.predictions.images, pool.map(file_hash, self.paths), strict=True))
        for folder, record in zip(found, records, strict=True):
            _require_same(folder, record, self.sources, images)
        self.provenance: dict[str, Any] = {
            "pseudo_labels_of": ",".join(self.models),
            "table": ",".join(file_hash(folder / TABLE) for folder in found),
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


def averaged(found: Sequence[Path]) -> Predictions:
    """The mean of several predictions of the same images, in the order of the first.

    Raises:
        InputError: too few images, or a video; or folders are of other images, sizes or numbers of keypoints than the first.
        FormatError: damaged predictions.
    """
    every = [Predictions.read(folder) for folder in found]
    first = every[0]
    if first.frames is not None or len(first.images) < LEAST:
        raise InputError(f"{found[0]}: expected keypoints of at least {LEAST} images, not of a video")
    points, sure = [first.keypoints_px], [first.confidence]
    for folder, other in zip(found[1:], every[1:], strict=True):
        place = {name: row for row, name in enumerate(other.images)}
        if place.keys() != set(first.images) or other.keypoints_px.shape != first.keypoints_px.shape:
            raise InputError(f"{folder}: expected as many keypoints of the same images as in {found[0]}")
        order = [place[name] for name in first.images]
        if (other.sizes[order] != first.sizes).any():
            raise InputError(f"{folder}: its images have other sizes than those of {found[0]}; predict the same ones")
        points.append(other.keypoints_px[order])
        sure.append(other.confidence[order])
    return replace(first, keypoints_px=np.mean(points, axis=0), confidence=np.mean(sure, axis=0))


def _require_same(found: Path, record: PredictionRecord, sources: Sequence[tuple[str, str]], images: Path) -> None:
    """Stop where an image is not the file that was predicted: in another crop of the same size keypoints lie elsewhere."""
    predicted, source = record.files, record.source
    if predicted is None:  # predictions of earlier versions do not say
        if source and Path(source).resolve() != images.resolve():
            log.warning(f"{found} is of the images in {source}; {images} must hold the same pictures, not other crops of them")
        return
    if other := [name for name, digest in sources if predicted.get(name) != digest]:
        raise InputError(
            f"{images / other[0]}: is not the file that {found} is about ({len(other)} of {len(sources)} differ); "
            "give the images that were predicted, or predict these"
        )


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
    others: Sequence[tuple[Path, Path]] = (),
) -> int:
    """Write real images and the keypoints found in them as shards; returns the number of pairs.

    Args:
        model: the detector that found them; the real images behind it are recorded too.
        found, images, size, crop, min_confidence, workers: see `PseudoPairs`.
        out: folder of shards.
        codec: `jpeg` or `raw`.
        others: further detectors and what they found in the same images, to average with. Their keypoints must mean the same,
            as those of detectors do that one came from the other.

    Raises:
        InputError: the predictions are another model's, or see `PseudoPairs`.
        CheckpointError: no detector there.
        OutputError: `out` cannot be written, or holds the images, the predictions or the model.
    """
    teachers = [(find_weights(path, "detector"), folder) for path, folder in [(model, found), *others]]
    pairs = PseudoPairs([folder for _, folder in teachers], images, size, crop, min_confidence, workers)
    for (weights, folder), made_by in zip(teachers, pairs.models, strict=True):
        if made_by != file_hash(weights):
            raise InputError(f"{folder}: predictions of checkpoint {made_by}, but {weights} is {file_hash(weights)}")
    taken = [images, *(folder for _, folder in teachers), *(weights.parent for weights, _ in teachers)]
    if out.resolve() in [folder.resolve() for folder in taken]:
        raise OutputError(f"{out}: holds something else; give a folder for the pairs alone")
    names = pairs.predictions.images
    behind = [*pairs.sources, *originals(images, list_names(images), names)]
    behind += [row for weights, _ in teachers for row in read_sources(weights.parent)]
    export_pairs(pairs, out, len(names), codec=codec, workers=workers, sources=behind)
    return len(names)
