"""Predict a video or webcam: write a table, a record and an overlay video. Frames are streamed; only keypoints stay in memory.

Keypoints can be smoothed by the one-euro filter (Casiez, Roussel and Vogel, CHI 2012), a low-pass filter whose cut-off rises
with speed. Speeds are in image sides per second, so that the settings of the filter do not depend on the resolution.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.draw import draw_overlay
from kpdetect.errors import InputError
from kpdetect.files.folders import new_folder
from kpdetect.images.arrays import Image
from kpdetect.inference.boxes import require_overlap
from kpdetect.inference.clip_reader import ClipReader, Frame
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.earlier_results import OVERLAY, is_finished, pictures_of, skipped_before, stage_of
from kpdetect.inference.overlap import Background, batch_of, in_order, predicting_threads, workers_of
from kpdetect.inference.overlay_video import OverlayVideo, overlay_video
from kpdetect.inference.page_reader import PageReader
from kpdetect.inference.predictions import Predictions, frame_names
from kpdetect.inference.predictor import Box, Fitted, Keypoints, Predictor
from kpdetect.inference.sources import Clip, stacked
from kpdetect.inference.test_time_averaging import Passes
from kpdetect.inference.video import VideoReader
from kpdetect.inference.webcam import WebcamReader
from kpdetect.messages import log
from kpdetect.progress import Progress
from kpdetect.training.interrupts import StopRequest
from kpdetect.training.run_folder import environment

SPEED_CUTOFF = 1.0
"""Cut-off frequency of the filter that smooths the speed, in hertz (`dcutoff` in the one-euro paper)."""


class OneEuroFilter:
    """A filter that smooths every keypoint separately, frame by frame.

    Args:
        rate: incoming frames per second.
        side: longer side of the frames in pixels, the unit of speed.
        cutoff: cut-off frequency at rest, in hertz (`mincutoff` in the one-euro paper).
        beta: rise of the cut-off frequency with speed, in hertz per (image side / second).
    """

    def __init__(self, rate: float, side: float, cutoff: float, beta: float) -> None:
        self.rate, self.side, self.cutoff, self.beta = rate, side, cutoff, beta
        self.last: NDArray[np.float64] | None = None
        self.speed = np.zeros(0)

    def __call__(self, keypoints_px: NDArray[np.floating], elapsed: float | None = None) -> NDArray[np.float32]:
        """Smooth the next frame's keypoints.

        Args:
            keypoints_px: [K, 2].
            elapsed: seconds since the previous frame. None: 1 / `rate`.
        """
        now, rate = keypoints_px.astype(np.float64), self.rate if elapsed is None else 1 / elapsed
        if self.last is None:
            self.last, self.speed = now, np.zeros_like(now)
            return now.astype(np.float32)
        raw = (now - self.last) * rate / self.side  # in sides per second
        self.speed += _share(np.float64(SPEED_CUTOFF), rate) * (raw - self.speed)
        magnitude = np.linalg.norm(self.speed, axis=-1, keepdims=True)
        self.last = self.last + _share(self.cutoff + self.beta * magnitude, rate) * (now - self.last)
        return self.last.astype(np.float32)


def _share(cutoff: NDArray[np.float64] | np.float64, rate: float) -> NDArray[np.float64]:
    """Return the weight of the new value, 1 / (1 + rate / (2 pi cutoff))."""
    return np.asarray(1 / (1 + rate / (2 * math.pi * cutoff)))


DRAWN_AHEAD = 8
"""Largest number of predicted frames that wait in memory to be drawn."""
BLOCK_BYTES = 32 * 2**20
"""Largest number of bytes of the frames that are decoded together. A single frame may be larger."""


def predict_clip(
    predictor: Predictor, clip: Clip, out: Path, config: PredictConfig, boxes: dict[str, Box] | None = None
) -> tuple[Predictions, str]:
    """Predict a video, or read the results of an earlier, equal call from `out`.

    Args:
        predictor: the detector.
        clip: a video file, a stack of pages, or a webcam. A webcam runs until frame `config.end` or Ctrl-C.
        out: folder for predictions.csv, predictions.json and overlay.mp4.
        config: settings.
        boxes: the box to predict in, by name of the video.

    Returns:
        The predictions, and a warning if frames are missing or the overlay video cannot be written. The warning may be empty.

    Raises:
        InputError: the file is not a readable video, or has no frame in the requested range.
        OutputError: `out` cannot be written.
    """
    live = isinstance(clip.source, int)
    stage = stage_of(predictor, config, clip.source, [path for path in (clip.source, config.boxes) if isinstance(path, Path)])
    if not live and not config.overwrite and is_finished(out, stage):
        log.info(f"{out}: predicted already with this model (`overwrite` predicts again)")
        predictions, note = Predictions.read(out), skipped_before(out, strict=config.strict).get(clip.name, "")
    else:
        with open_clip(clip.source, clip.pages) as reader, StopRequest() as stop:
            job = _ClipJob(predictor, clip, reader, out, config, (boxes or {}).get(clip.name))
            predictor.settle(job.total or 0)
            predictions = job.run(stop, stage)
            note = "; ".join(filter(None, ["" if stop.requested else reader.shortfall(config.end), job.remark()]))
        mirror = None if job.passes.mirror is None else job.passes.mirror.tolist()
        record = {"description": predictor.description.content, "crop": predictor.crop, "mirror": mirror}
        record |= {"skipped": {clip.name: note} if note else {}, "environment": environment()}
        record["engine"] = predictor.engine.name
        predictions = predictions.write(out, {**stage, **record})
    return predictions, note


def open_clip(source: Path | int, pages: tuple[int, ...] = ()) -> ClipReader:
    """Open a video, a stack of pages or a webcam.

    Args:
        source: path of the file, or number of the webcam.
        pages: positions of the pictures in a stack, if `stacked` has already found them.

    Raises:
        InputError: the source cannot be opened.
    """
    if isinstance(source, int):
        return WebcamReader(source)
    pages = pages or stacked(source)
    return PageReader(source, pages) if pages else VideoReader(source)


class _ClipJob:
    """One pass over the frames of a clip."""

    def __init__(
        self, predictor: Predictor, clip: Clip, reader: ClipReader, out: Path, config: PredictConfig, box: Box | None
    ) -> None:
        self.predictor, self.reader, self.out, self.config, self.box = predictor, reader, out, config, box
        self.name, self.source = clip.name, clip.source
        self.passes = Passes(predictor, config)
        self.rate = reader.rate / config.stride
        self.trail: deque[NDArray[np.floating]] = deque(maxlen=config.trail)
        self.filter: OneEuroFilter | None = None
        self.points: list[NDArray[np.float32]] = []
        self.sure: list[NDArray[np.float32]] = []
        self.frames: list[int] = []
        self.seconds: list[float] = []
        self.sizes: list[tuple[int, int]] = []
        self.resized: int | None = None
        self.video: OverlayVideo | None = None

    def run(self, stop: StopRequest, stage: dict[str, Any]) -> Predictions:
        """Predict all frames. `stage` identifies the predictions (`earlier_results.stage_of`)."""
        config, runtime = self.config, self.predictor.runtime
        with ExitStack() as stack:
            progress = stack.enter_context(Progress(self.total, f"predict {self.name}", unit="frames"))
            blocks = self._learned(stack.enter_context(closing(_ahead(self._blocks()))))
            drawing = stack.enter_context(Background(1, DRAWN_AHEAD))
            pool, workers = stack.enter_context(predicting_threads(runtime)), workers_of(runtime)
            for block, keypoints in in_order(pool, self._predict, blocks, workers):
                if not self.frames:  # an unreadable video gets no folder
                    folder = stack.enter_context(new_folder(self.out))
                    stack.enter_context(pictures_of(folder, stage, [OVERLAY] if config.overlays else []))
                    if config.overlays:
                        self.video = stack.enter_context(overlay_video(folder / OVERLAY, self.rate, config.h264))
                        stack.callback(drawing.stop)  # before the video is closed
                for frame, points, sure in zip(block, *keypoints, strict=True):
                    self._take(frame, points, sure, drawing)
                progress.update(len(block))
                if stop.requested and not isinstance(self.source, int):
                    raise KeyboardInterrupt  # half a video is no result
                if stop.requested:
                    break
            drawing.finish()
        if not self.frames:
            wanted = f"from {config.start} to {config.end or 'the end'}"
            raise InputError(f"{self.reader.name}: no readable frame {wanted}; the video is empty, damaged or shorter")
        frames = np.array(self.frames, dtype=np.int64)
        return Predictions(
            images=frame_names(self.name, frames),
            keypoints_px=np.stack(self.points),
            confidence=np.stack(self.sure),
            sizes=np.array(self.sizes, dtype=np.int64),
            skeleton=self.predictor.skeleton,
            frames=frames,
            rate=self.reader.rate,
            times=np.array(self.seconds),
        )

    def remark(self) -> str:
        """Return warnings about frames of another size and about the overlay video, after `run`."""
        parts = (
            [] if self.resized is None else [f"{self.reader.name}: the size of the frames changes at frame {self.resized:,}"]
        )
        if self.video is not None and self.video.failure:
            parts.append(self.video.failure)
        return "; ".join(parts)

    @property
    def total(self) -> int | None:
        """Number of frames that will be predicted; None if the file does not say how many it has."""
        if not self.reader.count:
            return None
        end = min(self.reader.count, self.config.end or self.reader.count)
        return max(0, -(-(end - self.config.start) // self.config.stride))

    def _blocks(self) -> Iterator[list[Frame]]:
        block: list[Frame] = []
        for frame in self.reader.frames(self.config.start, self.config.end, self.config.stride):
            block.append(frame)
            if len(block) >= min(batch_of(self.predictor.runtime), max(1, BLOCK_BYTES // frame.image.nbytes)):
                yield block
                block = []
        if block:
            yield block

    def _learned(self, blocks: Iterator[list[Frame]]) -> Iterator[list[Frame]]:
        """Yield the same blocks. From the first one, learn the partners of keypoints in the mirror image if they are needed."""
        for block in blocks:
            if self.passes.wants_sample:
                self.passes.learn([self._fit(frame.image) for frame in block])
            yield block

    def _predict(self, block: list[Frame]) -> tuple[list[Frame], Keypoints]:
        pictures = [frame.image for frame in block]
        fitted = [self._fit(picture) for picture in pictures]
        return block, self.passes(fitted, lambda boxes: list(map(self.predictor.fit_parts, pictures, boxes)))

    def _fit(self, image: Image) -> Fitted:
        box = None
        if self.box is not None:
            require_overlap({self.name: self.box}, self.name, (image.shape[0], image.shape[1]))
            box = self.predictor.square_box(self.box)
        return self.predictor.fit(image, box)

    def _take(self, frame: Frame, points: NDArray[np.float32], sure: NDArray[np.float32], drawing: Background) -> None:
        config, size = self.config, (frame.image.shape[0], frame.image.shape[1])
        if self.sizes and size != self.sizes[-1] and self.resized is None:
            self.resized = frame.number
        self.sizes.append(size)
        if config.smooth:
            if self.filter is None:
                self.filter = OneEuroFilter(self.rate, max(size), config.smooth_cutoff, config.smooth_beta)
            points = self.filter(points, self._elapsed(frame))
        self.frames.append(frame.number)
        self.seconds.append(frame.seconds)
        self.points.append(points)
        self.sure.append(sure)
        if self.video is not None:
            shown = np.where((sure >= config.min_confidence)[:, None], points, np.nan)
            drawing.submit(partial(self._draw, self.video, frame, shown, sure, tuple(self.trail)))
            self.trail.append(shown)

    def _draw(
        self,
        video: OverlayVideo,
        frame: Frame,
        shown: NDArray[np.float32],
        sure: NDArray[np.float32],
        trail: tuple[NDArray[np.floating], ...],
    ) -> None:
        skeleton, side = self.predictor.skeleton, self.config.max_side
        video.add(draw_overlay(frame.image, shown, sure, skeleton, max_side=side, trails_px=trail, still=False), frame.seconds)

    def _elapsed(self, frame: Frame) -> float | None:
        """Return the seconds since the previous frame; None if the file states no times."""
        elapsed = frame.seconds - self.seconds[-1] if self.seconds else 0.0
        return elapsed if elapsed > 0 else None


def _ahead(blocks: Iterator[list[Frame]]) -> Generator[list[Frame], None, None]:
    """Yield the same blocks. While the caller uses a block, decode the next one."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block
