"""Find the keypoints of a folder of images by clusters of pretrained features, and write them as predictions and as pairs.

OUT/headings.npz       with `headings`: what turns the images so that all objects have the same heading
OUT/headings.png       with `headings`: 24 images of the sample, turned
OUT/clusters.npz       the clusters, fitted on a sample of the images
OUT/objects.npz        where the object is in some images of the sample
OUT/predictions.csv    the keypoints of all images; the confidence is 0 where a keypoint has no mutual nearest neighbour
OUT/predictions.json   their record
OUT/sheet.png          24 images with their keypoints; the clusters of the first version come from 48 images only
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import apply_affine, invert_affine
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.data.folder import MIN_IMAGES, require_readable
from kpdetect.data.training_images import TrainingImages
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.dense_features import grid_features
from kpdetect.discovery.matcher import Matcher, feature_counts, first_look, fit_matcher
from kpdetect.discovery.object_masks import ObjectMasks, largest_piece
from kpdetect.draw import contact_sheet, draw_keypoints
from kpdetect.errors import InputError
from kpdetect.files.files_below import names_below
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.files.json_stream import Entries
from kpdetect.images.arrays import CropPolicy, Image, fit_image
from kpdetect.images.image_files import read_image, write_image
from kpdetect.images.levels import current_levels
from kpdetect.inference.earlier_results import inputs_key, is_finished
from kpdetect.inference.image_parts import Part, Parts
from kpdetect.inference.overlap import batch_of, in_order, predicting_threads, workers_of
from kpdetect.inference.parts_table import PartsTable
from kpdetect.inference.predictions import write_predictions
from kpdetect.messages import log
from kpdetect.progress import Progress
from kpdetect.project.feature_network import feature_network
from kpdetect.project.matched_images import is_found_so
from kpdetect.refinement.reconstruction import Perception
from kpdetect.training.distributed import by_the_first, peers_of
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime

SHEET, TURNED_SHEET = "sheet.png", "headings.png"
SHOWN, COLUMNS, SHOWN_SIDE = 24, 8, 160
"""Number of images on the sheet, of its columns, and side of an image in pixels."""
MASKED = 128
"""Largest number of images in which the object's cells are stored."""
NAME = "clusters of ImageNet features"
"""Name of the method in records and tables."""


def find_correspondences(
    images: TrainingImages,
    out: Path,
    config: CorrespondenceConfig,
    runtime: Runtime,
    *,
    keypoints: int,
    crop: CropPolicy,
    in_use: bool = False,
) -> None:
    """Find the keypoints of a folder of images without training, or continue an interrupted call.

    Args:
        images: the images to match.
        out: folder of results.
        config: settings.
        runtime: device and processes.
        keypoints: number of keypoints.
        crop: how an image becomes square.
        in_use: whether a detector has learned from the keypoints in `out`. They are kept then; see `require_same_images`.

    Raises:
        InputError: there are too few readable images, or, if they are `strict`, one is unreadable.
        ConfigError: keypoints in use were found with other settings.
        ConfigError, CheckpointError: the feature network or its weights cannot be used.
        OutputError: `out` cannot be written.
    """
    perception = feature_network(config, runtime)
    make_folder(out)
    search = _Search(
        perception, images.spread(out, config.images), images.folder, config, runtime, keypoints, crop, images.strict
    )
    if is_finished(out, search.stage) or (in_use and is_found_so(out, search.stage)):
        log.info(f"{out}: the keypoints are found already")
        return
    search.run(out)


class _Found(NamedTuple):
    """An image that was read: the square, the matrix from the image to it, the size of the image, and the file's hash."""

    square: Image
    matrix: NDArray[np.float64]
    size: tuple[int, int]
    digest: str


class _Search:
    """One search for keypoints. The arguments are those of `find_correspondences`."""

    def __init__(
        self,
        perception: Perception,
        paths: Sequence[Path],
        root: Path,
        config: CorrespondenceConfig,
        runtime: Runtime,
        keypoints: int,
        crop: CropPolicy,
        strict: bool,
    ) -> None:
        self.perception, self.paths, self.config, self.runtime = perception, paths, config, runtime
        self.root, self.keypoints, self.crop, self.strict = root, keypoints, crop, strict
        recorded_later = set() if config.headings else {"headings"}  # matches of an earlier version stay valid
        settings = config.model_dump(mode="json", exclude={"features", *recorded_later})
        self.stage: dict[str, Any] = {
            "model": f"{config.network} {perception.hash}",
            "settings": settings | {"keypoints": keypoints, "crop": crop, "levels": current_levels().text},
            "inputs": inputs_key(paths),
        }

    def run(self, out: Path) -> None:
        """Find the keypoints of all images, and write them."""
        key = hashlib.sha256(json.dumps(self.stage, sort_keys=True).encode()).hexdigest()[:16]
        by_the_first(self.runtime, partial(self._fit, out, key))
        matcher = Matcher.read(out, key, self.config)
        assert matcher is not None  # the first process has written it
        peers, parts = peers_of(self.runtime), Parts(out, self.stage, len(self.paths))
        share = peers.share(parts.spans)
        todo = parts.missing(share)
        total, left = (sum(map(len, spans)) for spans in (share, todo))
        with Progress(total, "match features", start=total - left) as progress:
            for span in todo:
                parts.write(span, self._part(span, matcher, progress))
        peers.wait()
        by_the_first(self.runtime, lambda: self._write(out, parts, matcher.clusters.score))

    def features(self, squares: Image) -> NDArray[np.float32]:
        """Compute the features [count, cells, cells, channels] of square images, in small batches."""
        step, maps = batch_of(self.runtime), self.config.maps
        blocks = [
            grid_features(self.perception, squares[at : at + step], maps, self.config.cells, self.runtime.device)
            for at in range(0, len(squares), step)
        ]
        return np.concatenate(blocks)

    def _fit(self, out: Path, key: str) -> None:
        if Matcher.read(out, key, self.config) is not None and ObjectMasks.read(out, key) is not None:
            return
        numbers = evenly_spaced(len(self.paths), self.config.sample)
        read = self._look_first(out, numbers)
        read = self._read_all([number for number in numbers if number not in read]) | read
        read = {number: read[number] for number in sorted(read)}
        if len(read) < MIN_IMAGES:
            reason = next(str(fault) for number in numbers if isinstance(fault := self._read(number), InputError))
            sample = "" if len(numbers) == len(self.paths) else f" in a sample of {len(numbers)}"
            require_readable(len(read), f"{self.root}{sample}", reason)
        squares = np.stack([each.square for each in read.values()])
        masked = evenly_spaced(len(read), MASKED)
        with Progress(feature_counts(self.config)[0] * len(read) + len(masked), "fit clusters") as progress:
            features = partial(self._counted, progress)
            matcher, turned = fit_matcher(squares, features, self.keypoints, self.config)
            foreground = matcher.clusters.whitening.foreground(features(squares[masked]))
        if self.config.headings:
            tiles = [fit_image(turned[each], SHOWN_SIDE)[0] for each in evenly_spaced(len(turned), SHOWN)]
            write_image(out / TURNED_SHEET, contact_sheet(tiles, COLUMNS))
        names = names_below([self.paths[list(read)[place]] for place in masked], self.root)
        masks = np.stack([largest_piece(each) for each in foreground])
        ObjectMasks(names=tuple(names), masks=masks, crop=self.crop).write(out, key)
        self._draw(out / SHEET, matcher, f"clusters fitted on {len(read)} images")
        matcher.write(out, key)
        steady = ", ".join(f"{value:.2f}" for value in matcher.clusters.score)
        log.info(f"share of the sample in which each keypoint is matched and follows a warp of the image: {steady}")

    def _look_first(self, out: Path, numbers: Sequence[int]) -> dict[int, _Found]:
        """Draw a sheet with clusters of a few images of a large sample. Return the images that were read.

        It takes some seconds, so the user sees whether the matches are about right while the whole sample is read and fitted.
        """
        looked = first_look(len(numbers))
        read = self._read_all([numbers[place] for place in evenly_spaced(len(numbers), looked)]) if looked else {}
        if len(read) > looked / 2:
            with Progress(feature_counts(self.config)[0] * len(read), "first look") as progress:
                squares = np.stack([each.square for each in read.values()])
                matcher, _ = fit_matcher(squares, partial(self._counted, progress), self.keypoints, self.config)
            self._draw(out / SHEET, matcher, f"first look: clusters fitted on {len(read)} images")
        return read

    def _counted(self, progress: Progress, squares: Image) -> NDArray[np.float32]:
        """Compute features as `features` does, and count the images."""
        blocks = []
        for at in range(0, len(squares), 32):
            blocks.append(self.features(squares[at : at + 32]))
            progress.update(len(blocks[-1]))
        return np.concatenate(blocks)

    def _read_all(self, numbers: Sequence[int]) -> dict[int, _Found]:
        """Read those of some images that can be read."""
        return {number: found for number in numbers if not isinstance(found := self._read(number), InputError)}

    def _read(self, number: int) -> _Found | InputError:
        path = self.paths[number]
        try:
            image = read_image(path)
            square, matrix = fit_image(image, self.config.size, self.crop)
        except InputError as error:
            if self.strict:
                raise
            return error
        return _Found(square, matrix, image.shape[:2], file_hash(path))

    def _part(self, span: range, matcher: Matcher, progress: Progress) -> Part:
        """Find the keypoints of some of the images."""
        numbers: list[int] = []
        digests: list[str] = []
        skipped: dict[int, str] = {}
        points, sure = [np.zeros((0, self.keypoints, 2), np.float32)], [np.zeros((0, self.keypoints), np.float32)]
        sizes: list[tuple[int, int]] = []
        step = batch_of(self.runtime)
        blocks = [range(at, min(at + step, span.stop)) for at in range(span.start, span.stop, step)]
        with predicting_threads(self.runtime) as pool:
            for outcomes, places, confidence in in_order(
                pool, partial(self._block, matcher), blocks, workers_of(self.runtime) + 1
            ):
                for number, outcome in outcomes.items():
                    if isinstance(outcome, InputError):
                        skipped[number] = str(outcome)
                        continue
                    numbers.append(number)
                    digests.append(outcome.digest)
                    sizes.append(outcome.size)
                points.append(places)
                sure.append(confidence)
                progress.update(len(outcomes))
        return Part(
            numbers=np.array(numbers, dtype=np.int64),
            keypoints_px=np.concatenate(points),
            confidence=np.concatenate(sure),
            sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
            digests=digests,
            skipped=skipped,
        )

    def _block(
        self, matcher: Matcher, numbers: Sequence[int]
    ) -> tuple[dict[int, _Found | InputError], NDArray[np.float32], NDArray[np.float32]]:
        """Read a batch of images, and find their keypoints in pixels of each image and the confidence."""
        outcomes = {number: self._read(number) for number in numbers}
        read = [outcome for outcome in outcomes.values() if isinstance(outcome, _Found)]
        if not read:
            return outcomes, np.zeros((0, self.keypoints, 2), np.float32), np.zeros((0, self.keypoints), np.float32)
        matches = matcher(np.stack([each.square for each in read]), self.features)
        points = [apply_affine(invert_affine(each.matrix), place) for each, place in zip(read, matches.points, strict=True)]
        confidence = np.where(matches.mutual, np.clip(matches.similarity, 0, 1), 0)
        return outcomes, np.stack(points).astype(np.float32), confidence.astype(np.float32)

    def _write(self, out: Path, parts: Parts, score: NDArray[np.float32]) -> None:
        """Write the predictions and the sheet."""
        table = PartsTable(parts, names_below(self.paths, self.root))
        skipped = table.readable(self.root, strict=False).skipped
        description = {"provenance": {"discovery": NAME}, "score": score.round(4).tolist()}
        record = {"crop": self.crop, "skipped": skipped, "environment": environment(), "files": Entries(table.files())}
        write_predictions(out, table.blocks, {**self.stage, "description": description, **record})
        parts.remove()

    def _draw(self, path: Path, matcher: Matcher, clusters: str) -> None:
        """Draw some images with their keypoints. This takes a second, so the user sees them before all images are matched."""
        outcomes, places, confidence = self._block(matcher, evenly_spaced(len(self.paths), SHOWN))
        points_px = np.where((confidence >= self.config.min_similarity)[..., None], places, np.nan)
        read, tiles = [outcome for outcome in outcomes.values() if isinstance(outcome, _Found)], []
        for found, points in zip(read, points_px, strict=True):
            tile, smaller = fit_image(found.square, SHOWN_SIDE)
            tiles.append(draw_keypoints(tile, apply_affine(smaller, apply_affine(found.matrix, points))))
        write_image(path, contact_sheet(tiles, COLUMNS))
        log.info(f"{path} shows {len(tiles)} images with their matches ({clusters})")
