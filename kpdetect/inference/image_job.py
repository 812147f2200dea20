"""Predict images: a table, a record, and overlays to look at. Only a few images are decoded at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kpdetect.draw import draw_overlay
from kpdetect.errors import InputError
from kpdetect.files.folders import new_folder
from kpdetect.files.names import below, name_below
from kpdetect.images.image_files import list_images, read_image, read_image_and_hash, write_image
from kpdetect.inference.boxes import require_overlap
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.earlier_results import OVERLAYS, is_finished, pictures_of, skipped_before, stage_of
from kpdetect.inference.predictions import RECORD, Predictions
from kpdetect.inference.predictor import BATCH, Box, Fitted, Keypoints, Predictor
from kpdetect.inference.test_time_averaging import SAMPLE, Passes
from kpdetect.messages import log
from kpdetect.progress import Progress
from kpdetect.training.run_folder import environment

THREADS = 2
"""Images decoded at once."""
Skipped = dict[str, str]
"""Inputs that could not be read, and why."""


class NoneReadableError(InputError):
    """No image can be read; `skipped` says why, image by image."""

    def __init__(self, message: str, skipped: Skipped) -> None:
        super().__init__(message)
        self.skipped = skipped


def predict_folder(
    model: Path,
    source: Path,
    out: Path,
    *,
    device: str = "auto",
    overlays: int = 200,
    strict: bool = False,
    overwrite: bool = False,
) -> Predictions:
    """Predict one image or all images of a folder.

    Args:
        model: project folder, detector run folder or weights file.
        source: an image, or a folder that is searched recursively.
        out: gets predictions.csv, predictions.json and overlays/.
        device: where to compute.
        overlays: how many overlays to write, evenly spread over the images; negative for all.
        strict: stop at an unreadable image instead of skipping it.
        overwrite: predict again what was predicted already with the same model.

    Raises:
        InputError: no images, or none readable, or an unreadable one under `strict`.
        CheckpointError: no detector at `model`.
        OutputError: `out` cannot be written.
    """
    predictor = Predictor.load(model, device, engine="auto")
    root, paths = (source.parent, [source]) if source.is_file() else (source, list_images(source, out))
    config = PredictConfig(overlays=overlays, strict=strict, overwrite=overwrite)
    with new_folder(out):
        predictions, skipped = predict_images(predictor, paths, root, out, config)
    if skipped:
        first = next(iter(skipped.values()))
        log.warning(f"skipped {len(skipped)} unreadable images, listed in {out / RECORD}; the first: {first}")
    return predictions


def predict_images(
    predictor: Predictor,
    paths: Sequence[Path],
    root: Path,
    out: Path,
    config: PredictConfig,
    boxes: Mapping[str, Box] | None = None,
) -> tuple[Predictions, Skipped]:
    """Predict image files, or read what an equal call left in `out`.

    Args:
        predictor: the detector.
        paths: image files below `root`.
        root: folder to which names are relative.
        out: gets predictions.csv, predictions.json and overlays/.
        config: how.
        boxes: parts to predict in, by name.

    Raises:
        NoneReadableError: no image is readable.
        InputError: one is not, under `strict`.
        OutputError: `out` cannot be written.
    """
    stage = stage_of(predictor, config, root, [*paths, *([config.boxes] if config.boxes else [])])
    if not config.overwrite and is_finished(out, stage):
        log.info(f"{out}: predicted already with this model (--overwrite predicts again)")
        skipped = skipped_before(out, strict=config.strict)
        predictions = Predictions.read(out)
    else:
        predictor.settle(len(paths))
        job = _ImageJob(predictor, paths, root, out, config, boxes or {})
        with ExitStack() as stack:
            predictions, skipped = job.run(lambda: stack.enter_context(pictures_of(out, stage, job.files))), job.skipped
        record = {"crop": predictor.crop, "mirror": job.mirror, "skipped": skipped, "environment": environment()}
        record["engine"] = predictor.engine.name
        record["files"] = {name: job.digests[name] for name in predictions.images}
        predictions = predictions.write(out, {**stage, "description": predictor.description, **record})
    return predictions, skipped


class _ImageJob:
    """One pass over image files."""

    def __init__(
        self,
        predictor: Predictor,
        paths: Sequence[Path],
        root: Path,
        out: Path,
        config: PredictConfig,
        boxes: Mapping[str, Box],
    ) -> None:
        self.predictor, self.paths, self.root, self.out, self.config, self.boxes = predictor, paths, root, out, config, boxes
        self.names = [name_below(path, root) for path in paths]
        self.pictures = _picture_names(self.names)
        self.drawn = _overlay_numbers(len(paths), config.overlays)
        self.passes = Passes(predictor, config)
        self.skipped: Skipped = {}
        self.digests: dict[str, str] = {}

    @property
    def mirror(self) -> list[int] | None:
        """Partner of each keypoint in a mirror image, as it was used."""
        return None if self.passes.mirror is None else self.passes.mirror.tolist()

    @property
    def files(self) -> list[str]:
        """Names of all overlays, relative to the folder of results."""
        return [f"{OVERLAYS}/{self.pictures[number]}" for number in sorted(self.drawn)]

    def run(self, begin: Callable[[], object]) -> Predictions:
        """All images; `begin` is called before the first overlay is drawn, if an image can be read at all."""
        found: list[Keypoints] = []
        images: list[str] = []
        sizes: list[tuple[int, int]] = []
        with Progress(len(self.paths), "predict") as progress, ThreadPoolExecutor(THREADS) as pool:
            self._learn(pool)
            drawing: list[Future[None]] = []
            for block in self._blocks(pool):
                numbers = [number for number, outcome in block if isinstance(outcome, Fitted)]
                fitted = [outcome for _, outcome in block if isinstance(outcome, Fitted)]
                self._note(block)
                rows, keypoints = self._detect(pool, numbers, fitted)
                numbers = [numbers[row] for row in rows]
                if numbers:
                    if not found:
                        begin()
                    found.append(keypoints)
                    images += [self.names[number] for number in numbers]
                    sizes += [fitted[row].size for row in rows]
                    _finish(drawing)
                    drawing = self._draw(pool, numbers, found[-1])
                progress.update(len(block))
            _finish(drawing)
        if not images:
            reason = next(iter(self.skipped.values()))
            told = f"{self.root}: none of {len(self.paths)} images can be read; the first: {reason}"
            raise NoneReadableError(told, self.skipped)
        keypoints_px, confidence = (np.concatenate(part) for part in zip(*found, strict=True))
        return Predictions(
            images=images,
            keypoints_px=keypoints_px,
            confidence=confidence,
            sizes=np.array(sizes, dtype=np.int64),
            skeleton=self.predictor.skeleton,
        )

    def _learn(self, pool: ThreadPoolExecutor) -> None:
        if self.passes.wants_sample:
            numbers = sorted(_overlay_numbers(len(self.paths), SAMPLE))
            sample = [outcome for outcome in pool.map(self._read, numbers) if isinstance(outcome, Fitted)]
            if sample:
                self.passes.learn(sample)

    def _blocks(self, pool: ThreadPoolExecutor) -> Iterator[list[tuple[int, Fitted | InputError]]]:
        """Fitted images with their numbers, one network batch at a time; the next block is read while this one is used."""
        ahead: list[tuple[int, Future[Fitted | InputError]]] = []
        for at in range(0, len(self.paths) + BATCH, BATCH):
            numbers = range(at, min(at + BATCH, len(self.paths)))
            current, ahead = ahead, [(number, pool.submit(self._read, number)) for number in numbers]
            if current:
                yield [(number, future.result()) for number, future in current]

    def _read(self, number: int) -> Fitted | InputError:
        try:
            image, self.digests[self.names[number]] = read_image_and_hash(self.paths[number])
            box = require_overlap(self.boxes, self.names[number], (image.shape[0], image.shape[1]))
            return self.predictor.fit(image, None if box is None else self.predictor.square_box(box))
        except InputError as error:
            return error

    def _note(self, block: Sequence[tuple[int, Fitted | InputError]]) -> None:
        for number, outcome in block:
            if isinstance(outcome, InputError):
                if self.config.strict:
                    raise outcome
                self.skipped[self.names[number]] = str(outcome)

    def _detect(
        self, pool: ThreadPoolExecutor, numbers: Sequence[int], fitted: Sequence[Fitted]
    ) -> tuple[list[int], Keypoints]:
        """Rows of the pictures that could be looked at as often as is needed, and their keypoints; the others are skipped."""
        lost: dict[int, InputError] = {}

        def again(row: int, boxes: Sequence[Box]) -> list[Fitted]:  # the picture itself is not kept: it may be large
            path = self.paths[numbers[row]]
            try:
                image = read_image(path)
                if image.shape[:2] != fitted[row].size:
                    raise InputError(f"{path}: was replaced by another image while it was predicted; predict it again")
                return self.predictor.fit_parts(image, boxes)
            except InputError as error:
                lost[row] = error
                return [fitted[row]] * len(boxes)  # only so that the others go on

        keypoints_px, confidence = self.passes(fitted, lambda boxes: list(pool.map(again, range(len(numbers)), boxes)))
        self._note([(numbers[row], lost[row]) for row in sorted(lost)])
        rows = [row for row in range(len(numbers)) if row not in lost]
        return rows, (keypoints_px[rows], confidence[rows])

    def _draw(self, pool: ThreadPoolExecutor, numbers: Sequence[int], found: Keypoints) -> list[Future[None]]:
        return [
            pool.submit(self._overlay, number, points, sure)
            for number, points, sure in zip(numbers, *found, strict=True)
            if number in self.drawn
        ]

    def _overlay(self, number: int, points: np.ndarray, sure: np.ndarray) -> None:
        path = below(self.out / OVERLAYS, self.pictures[number])
        points = np.where((sure >= self.config.min_confidence)[:, None], points, np.nan)
        try:
            image = read_image(self.paths[number])
        except InputError as error:
            self._note([(number, InputError(f"{error} (its keypoints were found, its overlay is missing)"))])
            return
        write_image(path, draw_overlay(image, points, sure, self.predictor.skeleton, max_side=self.config.max_side))


def _finish(tasks: Sequence[Future[None]]) -> None:
    for task in tasks:
        task.result()  # raises what went wrong in it


def _picture_names(names: Sequence[str]) -> list[str]:
    """Names of overlays: a.jpg gives a.png, but a.jpg.png where there is an a.tif too."""
    plain = [Path(name).with_suffix(".png").as_posix() for name in names]
    counts = Counter(plain)
    return [f"{name}.png" if counts[short] > 1 else short for name, short in zip(names, plain, strict=True)]


def _overlay_numbers(count: int, overlays: int) -> set[int]:
    if overlays < 0 or overlays >= count:
        return set(range(count))
    return set(np.linspace(0, count - 1, overlays).round().astype(int).tolist())
