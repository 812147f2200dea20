"""Predict images: write a table, a record and overlays. Only a few decoded images are in memory at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from kpdetect.coords import apply_affine
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.draw import draw_overlay
from kpdetect.errors import InputError
from kpdetect.files.atomic import flush_disks
from kpdetect.files.files_below import names_below
from kpdetect.files.json_stream import Entries
from kpdetect.files.names import below
from kpdetect.images.image_files import read_image, write_image
from kpdetect.images.reduced import read_at_least
from kpdetect.inference.boxes import require_overlap
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.earlier_results import OVERLAYS, is_finished, pictures_of, skipped_before, stage_of
from kpdetect.inference.image_parts import Beginning, Part, Parts, require_same_inputs
from kpdetect.inference.overlap import Background, batch_of, in_order, predicting_threads, workers_of
from kpdetect.inference.overlay_names import picture_names, spread_numbers
from kpdetect.inference.parts_table import Outcome, PartsTable, Skipped
from kpdetect.inference.predictions import Predictions, write_predictions
from kpdetect.inference.predictor import Box, Fitted, Keypoints, Predictor
from kpdetect.inference.test_time_averaging import SAMPLE, Passes
from kpdetect.messages import log
from kpdetect.progress import Progress
from kpdetect.training.processes import ALONE, Peers
from kpdetect.training.run_folder import environment

DRAWERS, DRAWN_AHEAD = 2, 64
"""Threads that draw overlays, and largest number of overlays that wait for them."""


def predict_into(
    predictor: Predictor,
    paths: Sequence[Path],
    root: Path,
    out: Path,
    config: PredictConfig,
    boxes: Mapping[str, Box] | None = None,
    peers: Peers = ALONE,
) -> Outcome:
    """Predict image files. If an equal call has already written its results to `out`, keep these. Continue an interrupted call.

    Memory does not grow with the number of images, apart from the list of their names.

    Args:
        predictor: the detector.
        paths: image files below `root`.
        root: folder to which the names of images are relative.
        out: folder for predictions.csv, predictions.json and overlays/.
        config: settings.
        boxes: the box to predict in, by name of the image. Images without a box are predicted whole.
        peers: processes that make this call together. The first one writes the table and the record.

    Returns:
        The outcome in the first process, an empty one in the others.

    Raises:
        NoneReadableError: no image is readable.
        InputError: with `strict`, an image is unreadable.
        OutputError: `out` cannot be written.
    """
    stage = stage_of(predictor, config, root, chain(paths, [config.boxes] if config.boxes else []))
    require_same_inputs(root, stage, peers)
    if peers.agreed(not config.overwrite and is_finished(out, stage)):
        log.info(f"{out}: predicted already with this model (`overwrite` predicts again)")
        return _written_before(predictor, out, config) if peers.is_main else Outcome()
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
            return Outcome()
        table = PartsTable(parts, job.names, predictor.skeleton, predictor.calibration.usual)
        outcome = table.readable(root, strict=config.strict)
    record: dict[str, Any] = {"crop": predictor.crop, "mirror": job.mirror, "skipped": outcome.skipped}
    record |= {"environment": environment(), "engine": predictor.engine.name}
    record["files"] = Entries(table.files())
    description = predictor.description.content
    write_predictions(out, table.blocks, {**stage, "description": description, **record})
    parts.remove()
    return outcome


def _written_before(predictor: Predictor, out: Path, config: PredictConfig) -> Outcome:
    outcome = Outcome(skipped=skipped_before(out, strict=config.strict))
    for block in Predictions.read_blocks(out):
        outcome.add(block.confidence, predictor.calibration.usual)
    return outcome


@dataclass(frozen=True, kw_only=True)
class _Block:
    """The readable images of one batch, with the (height, width) of each. `count` also counts the unreadable ones."""

    numbers: list[int]
    keypoints: Keypoints
    sizes: list[tuple[int, int]]
    count: int


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
        self.names = names_below(paths, root)
        self.drawn = spread_numbers(len(paths), config.overlays)
        self.pictures = picture_names(self.names, self.drawn)
        self.passes = Passes(predictor, config)
        self.skipped: Skipped = {}
        self.digests: dict[str, str] = {}

    @property
    def mirror(self) -> list[int] | None:
        """The partner of each keypoint in the mirror image, which averaging over the mirror image uses."""
        return None if self.passes.mirror is None else self.passes.mirror.tolist()

    @property
    def files(self) -> list[str]:
        """The names of all overlays, relative to the folder of results."""
        return [f"{OVERLAYS}/{self.pictures[number]}" for number in sorted(self.drawn)]

    def run(self, parts: Parts, peers: Peers, begin: Callable[[], object]) -> None:
        """Predict this process's share of the missing parts.

        Args:
            parts: the parts of the prediction.
            peers: the processes that share the parts.
            begin: function that is called in every process before the first overlay is drawn. It is not called if no image can
                be read.
        """
        share = peers.share(parts.spans)
        todo = parts.missing(share)
        total, left = (sum(map(len, spans)) for spans in (share, todo))
        begins = Beginning(begin, peers)
        with (
            Progress(total, "predict", start=total - left) as progress,
            Background(DRAWERS, DRAWN_AHEAD) as drawing,
            predicting_threads(self.predictor.runtime) as pool,
        ):
            self._learn(pool)
            if left < total:
                begins.here()
            for span in todo:
                blocks = in_order(pool, self._block, self._spans(span), workers_of(self.predictor.runtime) + 1)
                parts.write(span, self._part(span, blocks, drawing, progress, begins))
            begins.missing()

    def _part(self, span: range, blocks: Iterator[_Block], drawing: Background, progress: Progress, begins: Beginning) -> Part:
        """Predict the images of one part."""
        none = Predictions.none(self.predictor.skeleton)
        keypoints: list[Keypoints] = [(none.keypoints_px, none.confidence)]
        numbers, sizes = list[int](), list[tuple[int, int]]()
        for block in blocks:
            if block.numbers:
                begins.here()
                keypoints.append(block.keypoints)
                numbers += block.numbers
                sizes += block.sizes
                self._draw(block, drawing)
            progress.update(block.count)
        drawing.finish()  # a part says which overlays are missing
        if not self.drawn.isdisjoint(numbers):
            flush_disks()  # one call for all overlays of the part
        keypoints_px, confidence = (np.concatenate(part) for part in zip(*keypoints, strict=True))
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
            numbers = evenly_spaced(len(self.paths), SAMPLE)
            sample = [outcome for outcome in pool.map(self._read, numbers) if isinstance(outcome, Fitted)]
            if sample:
                self.passes.learn(sample)

    def _spans(self, span: range) -> Iterator[range]:
        """Divide the images of a part into batches."""
        step = batch_of(self.predictor.runtime)
        return (range(at, min(at + step, span.stop)) for at in range(span.start, span.stop, step))

    def _block(self, numbers: range) -> _Block:
        """Read and predict one batch."""
        outcomes = [(number, self._read(number)) for number in numbers]
        self._note(outcomes)
        seen = {number: outcome for number, outcome in outcomes if isinstance(outcome, Fitted)}
        rows, keypoints = self._detect(list(seen), list(seen.values()))
        kept = [list(seen)[row] for row in rows]
        return _Block(numbers=kept, keypoints=keypoints, sizes=[seen[number].size for number in kept], count=len(numbers))

    def _read(self, number: int) -> Fitted | InputError:
        try:
            box_of = partial(self._box, number)
            fitted, self.digests[self.names[number]] = self.predictor.fit_file(self.paths[number], box_of)
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

    def _detect(self, numbers: Sequence[int], fitted: Sequence[Fitted]) -> tuple[list[int], Keypoints]:
        """Predict images. Return the rows of the images that could be read again, and their keypoints. Skip the others."""
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

        keypoints_px, confidence = self.passes(fitted, lambda boxes: list(map(again, range(len(numbers)), boxes)))
        self._note([(numbers[row], lost[row]) for row in sorted(lost)])
        rows = [row for row in range(len(numbers)) if row not in lost]
        return rows, (keypoints_px[rows], confidence[rows])

    def _draw(self, block: _Block, drawing: Background) -> None:
        for number, points, sure in zip(block.numbers, *block.keypoints, strict=True):
            if number in self.drawn:
                drawing.submit(partial(self._overlay, number, points, sure))

    def _overlay(self, number: int, points: np.ndarray, sure: np.ndarray) -> None:
        points = np.where((sure >= self.config.min_confidence)[:, None], points, np.nan)
        try:
            image = read_at_least(self.paths[number], self.config.max_side)
        except InputError as error:
            self._note([(number, InputError(f"{error} (its keypoints are predicted, but its overlay is missing)"))])
            return
        points = apply_affine(image.matrix, points)
        overlay = draw_overlay(image.pixels, points, sure, self.predictor.skeleton, max_side=self.config.max_side)
        write_image(below(self.out / OVERLAYS, self.pictures[number]), overlay, durable=False)
