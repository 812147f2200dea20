"""Write overlay videos with PyAV, as MPEG-4 part 2 or as H.264, which every browser plays.

Each frame keeps its presentation time. If an overlay video cannot be written, the reason is recorded, and the prediction of
keypoints continues.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kpdetect.errors import InputError
from kpdetect.files.atomic import output_error
from kpdetect.files.temporary import sweep, temporary_name
from kpdetect.images.arrays import Image
from kpdetect.inference.video import VideoReader, file_url
from kpdetect.inference.video_index import failures

TICKS = 60_000
"""Ticks per second of the times in the file: less than the 65,536 of MPEG-4 part 2, and exact at 30000/1001 frames."""
BITS_PER_PIXEL = 1.0
"""Bits per pixel of a frame in MPEG-4 part 2."""
MAX_BIT_RATE = 60_000_000


class OverlayWriter:
    """A video file of frames of one size.

    Args:
        path: the file. Its ending decides the container format.
        size: (height, width), even numbers.
        rate: frames per second, used if the frames have no times.
        h264: write H.264 instead of MPEG-4 part 2.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], rate: float, *, h264: bool = False) -> None:
        import av

        self.frame, self.path = av.VideoFrame, path
        self.container = av.open(file_url(path), "w")
        whole = Fraction(rate).limit_denominator(1001)
        self.stream = self.container.add_stream("libx264" if h264 else "mpeg4", rate=whole if whole > 0 else 1)
        self.stream.height, self.stream.width = size
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = self.stream.time_base = Fraction(1, TICKS)
        if h264:
            self.stream.options = {"crf": "20"}
        else:
            self.stream.bit_rate = int(min(size[0] * size[1] * rate * BITS_PER_PIXEL, MAX_BIT_RATE))
        self.step = max(1, round(TICKS / rate))
        self.ticks = -self.step

    def add(self, image: Image, seconds: float = math.nan) -> None:
        """Write a frame, uint8 RGB [height, width, 3], to show at `seconds`. NaN means right after the previous frame."""
        frame = self.frame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        wanted = self.ticks + self.step if math.isnan(seconds) else round(seconds * TICKS)
        self.ticks = max(self.ticks + 1, wanted)
        frame.pts, frame.time_base = self.ticks, Fraction(1, TICKS)
        self._mux(frame)

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: the file cannot be finished.
        """
        try:
            if self.ticks >= 0:
                self._mux(None)
        finally:
            self.container.close()

    def _mux(self, frame: Any) -> None:
        for packet in self.stream.encode(frame):
            packet.duration = packet.duration or self.step
            self.container.mux(packet)


class OverlayVideo:
    """An overlay video. The first frame decides its size. A frame with an odd side gets one more row or column.

    Attributes:
        failure: why the video cannot be written; empty as long as it can.
    """

    def __init__(self, path: Path, temporary: Path, rate: float, h264: bool) -> None:
        self.path, self.temporary, self.rate, self.h264 = path, temporary, rate, h264
        self.writer: OverlayWriter | None = None
        self.size, self.failure, self.begin, self.written = (0, 0), "", 0.0, 0

    def add(self, image: Image, seconds: float = math.nan) -> None:
        """Write a frame, uint8 RGB [height, width, 3], with its time in seconds. The first frame has the time 0 in the file."""
        if self.failure:
            return
        height, width = image.shape[:2]
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")  # 4:2:0 codecs need even sides
        try:
            if self.writer is None:
                self.size, self.begin = (even.shape[0], even.shape[1]), seconds
                self.writer = OverlayWriter(self.temporary, self.size, self.rate, h264=self.h264)
            if even.shape[:2] == self.size:  # frames of another size do not fit the file
                self.writer.add(even, seconds - self.begin)
                self.written += 1
        except failures() as error:
            self._fail(error)

    def close(self) -> None:
        """Finish the temporary file and rename it to the name of the video."""
        writer, self.writer = self.writer, None
        if writer is None or self.failure:
            return
        try:
            writer.close()
            self._require_whole()
            with open(self.temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(self.temporary, self.path)
        except failures() as error:
            self._fail(error)

    def abandon(self) -> None:
        """Close the temporary file without finishing the video."""
        writer, self.writer = self.writer, None
        if writer is not None:
            with suppress(*failures()):
                writer.close()

    def _require_whole(self) -> None:
        try:
            with VideoReader(self.temporary) as reader:
                if reader.count >= self.written:
                    return
        except InputError:
            pass
        raise OSError(errno.ENOSPC, "No space left")

    def _fail(self, error: Exception) -> None:
        reason = str(output_error(self.path, error)) if isinstance(error, OSError) else f"{self.path}: {error}"
        self.failure = f"{reason}; the keypoints are complete without it"
        self.abandon()


@contextmanager
def overlay_video(path: Path, rate: float, h264: bool) -> Iterator[OverlayVideo]:
    """Open an overlay video. Its file appears at `path` only when it is complete. If it fails, its `failure` says why."""
    temporary = temporary_name(path, f".part{path.suffix}")  # the ending decides the container format
    sweep(path.parent)
    video = OverlayVideo(path, temporary, rate, h264)
    try:
        yield video
        video.close()
    finally:
        video.abandon()
        temporary.unlink(missing_ok=True)
