"""Predict images: write a table, a record and overlays. Only a few decoded images are in memory at any time."""

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
"""Number of images decoded at the same time."""
Skipped = dict[str, str]
"""The reason for every skipped input, by its name."""


class NoneReadableError(InputError):
    """No image can be read. `skipped` holds the reason for each image."""

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
        out: folder for predictions.csv, predictions.json and overlays/.
        device: `auto`, `cpu` or `cuda`.
        overlays: number of images to draw keypoints on, chosen evenly; negative for all.
        strict: stop at an unreadable image instead of skipping it.
        overwrite: predict again, also images that the same model has already predicted.

    Raises:
        InputError: there are no images, none is readable, or, with `strict`, one is unreadable.
        CheckpointError: there is no detector at `model`.
        OutputError: `out` cannot be written.
    """
    predictor = Predictor.load(model, device, engine="auto")
    root, paths = (source.parent, [source]) if source.is_file() else (source, list_images(source, out))
    config = PredictConfig(overlays=overlays, strict=strict, overwrite=overwrite)
    with new_folder(out):
        predictions, skipped = predict_images(predictor, paths, root, out, config)
    if skipped:
        first = next(iter(skipped.values()))
        log.warning(f"skipped {len(skipped)} unreadable images, listed in {out / RECORD}; the first one: {first}")
    return predictions


def predict_images(
    predictor: Predictor,
    paths: Sequence[Path],
    root: Path,
    out: Path,
    config: PredictConfig,
    boxes: Mapping[str, Box] | None = None,
) -> tuple[Predictions, Skipped]:
    """Predict image files, or read the results of an earlier, equal call from `out`.

    Args:
        predictor: the detector.
        paths: image files below `root`.
        root: folder to which the names of images are relative.
        out: folder for predictions.csv, predictions.json and overlays/.
        config: settings.
        boxes: the box to predict in, by name of the image. Images without a box are predicted whole.

    Raises:
        NoneReadableError: no image is readable.
        InputError: with `strict`, an image is unreadable.
        OutputError: `out` cannot be written.
    """
    stage = stage_of(predictor, config, root, [*paths, *([config.boxes] if config.boxes else [])])
    if not config.overwrite and is_finished(out, stage):
        log.info(f"{out}: predicted already with this model (`overwrite` predicts again)")
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
        """The partner of each keypoint in the mirror image, as used for averaging."""
        return None if self.passes.mirror is None else self.passes.mirror.tolist()

    @property
    def files(self) -> list[str]:
        """The names of all overlays, relative to the folder of results."""
        return [f"{OVERLAYS}/{self.pictures[number]}" for number in sorted(self.drawn)]

    def run(self, begin: Callable[[], object]) -> Predictions:
        """Predict all images. If at least one image can be read, call `begin` before the first overlay is drawn."""
        parts: list[Keypoints] = []
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
                    if not parts:
                        begin()
                    parts.append(keypoints)
                    images += [self.names[number] for number in numbers]
                    sizes += [fitted[row].size for row in rows]
                    _finish(drawing)
                    drawing = self._draw(pool, numbers, parts[-1])
                progress.update(len(block))
            _finish(drawing)
        if not images:
            reason = next(iter(self.skipped.values()))
            message = f"{self.root}: none of {len(self.paths)} images can be read; the first one: {reason}"
            raise NoneReadableError(message, self.skipped)
        keypoints_px, confidence = (np.concatenate(part) for part in zip(*parts, strict=True))
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
        """Yield fitted images with their numbers, batch by batch. The next batch is read while the caller uses one."""
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
        """Predict images. Return the rows of the images that stay readable, and their keypoints. Skip the others."""
        lost: dict[int, InputError] = {}

        def again(row: int, boxes: Sequence[Box]) -> list[Fitted]:  # the image is read again, because it may be large to keep
            path = self.paths[numbers[row]]
            try:
                image = read_image(path)
                if image.shape[:2] != fitted[row].size:
                    raise InputError(f"{path}: another image replaced this file during the prediction; predict it again")
                return self.predictor.fit_parts(image, boxes)
            except InputError as error:
                lost[row] = error
                return [fitted[row]] * len(boxes)  # placeholders, so that the other images go on

        keypoints_px, confidence = self.passes(fitted, lambda boxes: list(pool.map(again, range(len(numbers)), boxes)))
        self._note([(numbers[row], lost[row]) for row in sorted(lost)])
        rows = [row for row in range(len(numbers)) if row not in lost]
        return rows, (keypoints_px[rows], confidence[rows])

    def _draw(self, pool: ThreadPoolExecutor, numbers: Sequence[int], keypoints: Keypoints) -> list[Future[None]]:
        return [
            pool.submit(self._overlay, number, points, sure)
            for number, points, sure in zip(numbers, *keypoints, strict=True)
            if number in self.drawn
        ]

    def _overlay(self, number: int, points: np.ndarray, sure: np.ndarray) -> None:
        path = below(self.out / OVERLAYS, self.pictures[number])
        points = np.where((sure >= self.config.min_confidence)[:, None], points, np.nan)
        try:
            image = read_image(self.paths[number])
        except InputError as error:
            self._note([(number, InputError(f"{error} (its keypoints are predicted, but its overlay is missing)"))])
            return
        write_image(path, draw_overlay(image, points, sure, self.predictor.skeleton, max_side=self.config.max_side))


def _finish(tasks: Sequence[Future[None]]) -> None:
    for task in tasks:
        task.result()  # raises the error of the task


def _picture_names(names: Sequence[str]) -> list[str]:
    """Name the overlays: a.png for a.jpg, but a.jpg.png if there is an a.tif too."""
    plain = [Path(name).with_suffix(".png").as_posix() for name in names]
    counts = Counter(plain)
    return [f"{name}.png" if counts[short] > 1 else short for name, short in zip(names, plain, strict=True)]


def _overlay_numbers(count: int, overlays: int) -> set[int]:
    if overlays < 0 or overlays >= count:
        return set(range(count))
    return set(np.linspace(0, count - 1, overlays).round().astype(int).tolist())
