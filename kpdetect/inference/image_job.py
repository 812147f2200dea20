"""Predict images: write a table, a record and overlays. Only a few decoded images are in memory at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kpdetect.coords import apply_affine
from kpdetect.draw import draw_overlay
from kpdetect.errors import InputError
from kpdetect.files.names import below, name_below
from kpdetect.images.image_files import read_image, write_image
from kpdetect.images.reduced import read_at_least
from kpdetect.inference.boxes import require_overlap
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.earlier_results import (
    OVERLAYS,
    is_finished,
    picture_names,
    pictures_of,
    skipped_before,
    spread_numbers,
    stage_of,
)
from kpdetect.inference.image_parts import Beginning, Part, Parts, require_same_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictor import BATCH, Box, Fitted, Keypoints, Predictor
from kpdetect.inference.test_time_averaging import SAMPLE, Passes
from kpdetect.messages import log
from kpdetect.progress import Progress
from kpdetect.training.peers import ALONE, Peers
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


def predict_images(
    predictor: Predictor,
    paths: Sequence[Path],
    root: Path,
    out: Path,
    config: PredictConfig,
    boxes: Mapping[str, Box] | None = None,
    peers: Peers = ALONE,
) -> tuple[Predictions, Skipped]:
    """Predict image files, or read the results of an earlier, equal call from `out`. A call that was interrupted goes on.

    Args:
        predictor: the detector.
        paths: image files below `root`.
        root: folder to which the names of images are relative.
        out: folder for predictions.csv, predictions.json and overlays/.
        config: settings.
        boxes: the box to predict in, by name of the image. Images without a box are predicted whole.
        peers: processes that make this call together. The first one returns the predictions, the others return none.

    Raises:
        NoneReadableError: no image is readable.
        InputError: with `strict`, an image is unreadable.
        OutputError: `out` cannot be written.
    """
    stage = stage_of(predictor, config, root, [*paths, *([config.boxes] if config.boxes else [])])
    require_same_inputs(root, stage, peers)
    if peers.agreed(not config.overwrite and is_finished(out, stage)):
        log.info(f"{out}: predicted already with this model (`overwrite` predicts again)")
        if not peers.is_main:
            return Predictions.none(predictor.skeleton), {}
        return Predictions.read(out), skipped_before(out, strict=config.strict)
    predictor.settle(len(paths))
    job = _ImageJob(predictor, paths, root, out, config, boxes or {})
    parts = Parts(out, stage | {"engine": predictor.engine.name}, len(paths))
    with ExitStack() as stack:

        def begin() -> None:
            if peers.is_main:
                stack.enter_context(pictures_of(out, stage, job.files, keep=parts.begun))
                parts.begin()

        job.run(parts, peers, begin)
        peers.wait()  # for all parts and pictures
        if not peers.is_main:
            return Predictions.none(predictor.skeleton), {}
        predictions, digests, skipped = job.result(parts)
    record = {"crop": predictor.crop, "mirror": job.mirror, "skipped": skipped, "environment": environment()}
    record["engine"] = predictor.engine.name
    record["files"] = dict(zip(predictions.images, digests, strict=True))
    predictions = predictions.write(out, {**stage, "description": predictor.description, **record})
    parts.remove()
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
        self.pictures = picture_names(self.names)
        self.drawn = spread_numbers(len(paths), config.overlays)
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

    def run(self, parts: Parts, peers: Peers, begin: Callable[[], object]) -> None:
        """Predict this process's share of the parts that are missing.

        Args:
            parts: of the prediction.
            peers: who do them together.
            begin: is called in every process before the first overlay is drawn, if an image can be read at all.
        """
        share = peers.share(parts.spans)
        todo = parts.missing(share)
        total, left = (sum(map(len, spans)) for spans in (share, todo))
        begins = Beginning(begin, peers)
        with Progress(total, "predict", start=total - left) as progress, ThreadPoolExecutor(THREADS) as pool:
            self._learn(pool)
            if left < total:
                begins.here()
            for span in todo:
                parts.write(span, self._part(span, pool, progress, begins))
            begins.missing()

    def result(self, parts: Parts) -> tuple[Predictions, list[str], Skipped]:
        """The predictions that all parts hold together, the hash of each image's file, and what was skipped.

        Raises:
            NoneReadableError: no image is readable.
            InputError: one is not, under `strict`; a part of a call without it may say so.
        """
        whole = parts.whole()
        skipped = {self.names[number]: whole.skipped[number] for number in sorted(whole.skipped)}
        reason = next(iter(skipped.values()), "")
        if not len(whole.numbers):
            parts.remove()
            raise NoneReadableError(
                f"{self.root}: none of {len(self.paths)} images can be read; the first one: {reason}", skipped
            )
        if skipped and self.config.strict:
            raise InputError(reason)
        predictions = Predictions(
            images=[self.names[number] for number in whole.numbers],
            keypoints_px=whole.keypoints_px,
            confidence=whole.confidence,
            sizes=whole.sizes,
            skeleton=self.predictor.skeleton,
        )
        return predictions, whole.digests, skipped

    def _part(self, span: range, pool: ThreadPoolExecutor, progress: Progress, begins: Beginning) -> Part:
        """The images of one part."""
        none = Predictions.none(self.predictor.skeleton)
        found: list[Keypoints] = [(none.keypoints_px, none.confidence)]
        numbers, sizes, drawing = list[int](), list[tuple[int, int]](), list[Future[None]]()
        for block in self._blocks(span, pool):
            seen = [number for number, outcome in block if isinstance(outcome, Fitted)]
            fitted = [outcome for _, outcome in block if isinstance(outcome, Fitted)]
            self._note(block)
            rows, keypoints = self._detect(pool, seen, fitted)
            if rows:
                begins.here()
                found.append(keypoints)
                numbers += [seen[row] for row in rows]
                sizes += [fitted[row].size for row in rows]
                _finish(drawing)
                drawing = self._draw(pool, [seen[row] for row in rows], keypoints)
            progress.update(len(block))
        _finish(drawing)
        keypoints_px, confidence = (np.concatenate(part) for part in zip(*found, strict=True))
        skipped = {number: self.skipped.pop(self.names[number], "") for number in span}
        return Part(
            numbers=np.array(numbers, dtype=np.int64),
            keypoints_px=keypoints_px,
            confidence=confidence,
            sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
            digests=[self.digests.pop(self.names[number]) for number in numbers],
            skipped={number: reason for number, reason in skipped.items() if reason},
        )

    def _learn(self, pool: ThreadPoolExecutor) -> None:
        if self.passes.wants_sample:
            numbers = sorted(spread_numbers(len(self.paths), SAMPLE))
            sample = [outcome for outcome in pool.map(self._read, numbers) if isinstance(outcome, Fitted)]
            if sample:
                self.passes.learn(sample)

    def _blocks(self, span: range, pool: ThreadPoolExecutor) -> Iterator[list[tuple[int, Fitted | InputError]]]:
        """Yield fitted images with their numbers, batch by batch. The next batch is read while the caller uses one."""
        ahead: list[tuple[int, Future[Fitted | InputError]]] = []
        for at in range(span.start, span.stop + BATCH, BATCH):
            numbers = range(at, min(at + BATCH, span.stop))
            current, ahead = ahead, [(number, pool.submit(self._read, number)) for number in numbers]
            if current:
                yield [(number, future.result()) for number, future in current]

    def _read(self, number: int) -> Fitted | InputError:
        try:
            fitted, self.digests[self.names[number]] = self.predictor.fit_file(
                self.paths[number], lambda size: self._box(number, size)
            )
            return fitted
        except InputError as error:
            return error

    def _box(self, number: int, size: tuple[int, int]) -> Box | None:
        box = require_overlap(self.boxes, self.names[number], size)
        return None if box is None else self.predictor.square_box(box)

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
            image = read_at_least(self.paths[number], self.config.max_side)
        except InputError as error:
            self._note([(number, InputError(f"{error} (its keypoints are predicted, but its overlay is missing)"))])
            return
        points = apply_affine(image.matrix, points)
        write_image(path, draw_overlay(image.pixels, points, sure, self.predictor.skeleton, max_side=self.config.max_side))


def _finish(tasks: Sequence[Future[None]]) -> None:
    for task in tasks:
        task.result()  # raises the error of the task
