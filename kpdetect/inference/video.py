"""Reading and writing videos frame by frame: nothing here holds more than one frame.

Read by OpenCV (rotation flags are honoured); written as MPEG-4 part 2 by OpenCV, or as H.264 by the package `av`, whose encoder
OpenCV's packages lack.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from kpdetect.errors import InputError, OutputError
from kpdetect.files import output_error
from kpdetect.images import Image
from kpdetect.names import plain_path
from kpdetect.temporary import sweep, temporary_name

UNKNOWN_RATE = 30.0
"""Frames per second assumed where a file or a webcam names none."""


class VideoReader:
    """A video file or webcam, opened.

    Attributes:
        rate: frames per second.
        count: number of frames as the file claims; 0 if it does not say, or for a webcam.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, source: Path | int) -> None:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its own lines about damaged files; ours follow
        import cv2

        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        if isinstance(source, Path) and (not source.is_file() or source.stat().st_size == 0):
            raise InputError(f"{source}: not a readable video (the file is empty or missing); remove or replace it")
        self.name = f"webcam {source}" if isinstance(source, int) else str(source)
        self.capture = cv2.VideoCapture(source if isinstance(source, int) else plain_path(source))
        if not self.capture.isOpened():
            reason = "no such camera, or it is in use" if isinstance(source, int) else "unknown or damaged format"
            raise InputError(f"{self.name}: not a readable video ({reason}); remove or replace it")
        rate, count = self.capture.get(cv2.CAP_PROP_FPS), self.capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else UNKNOWN_RATE
        self.count = int(count) if math.isfinite(count) and count > 0 and not isinstance(source, int) else 0
        self.read = 0

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.capture.release()

    def frames(self, start: int = 0, end: int | None = None, stride: int = 1) -> Iterator[tuple[int, Image]]:
        """Numbers and pictures (uint8 RGB [height, width, 3]) of every `stride`-th frame from `start` to before `end`."""
        number = 0
        while (end is None or number < end) and self.capture.grab():  # seeking is inexact with many codecs
            self.read = number + 1
            if number >= start and (number - start) % stride == 0:
                done, picture = self.capture.retrieve()
                if not done or picture is None:
                    break
                yield number, _as_rgb(picture)
            number += 1

    def shortfall(self, end: int | None = None) -> str:
        """What to say of a file that ended early, after `frames` is through; empty if it did not."""
        expected = self.count if end is None else min(end, self.count)
        if self.read >= 0.95 * expected:  # the header's count is an estimate in some formats
            return ""
        return f"{self.name}: damaged after frame {self.read:,} of {self.count:,}; what was read before is kept"


def _as_rgb(picture: Any) -> Image:
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    return np.ascontiguousarray(picture[..., 2::-1], dtype=np.uint8)


class VideoWriter(Protocol):
    """Takes frames of one size."""

    def add(self, image: Image) -> None:
        """Write uint8 RGB [height, width, 3]."""

    def close(self) -> None:
        """Finish the file."""


class Mpeg4Writer:
    """MPEG-4 part 2 by OpenCV."""

    def __init__(self, path: Path, size: tuple[int, int], rate: float) -> None:
        import cv2

        code = cv2.VideoWriter.fourcc(*"mp4v")
        self.writer = cv2.VideoWriter(plain_path(path, OutputError), code, rate, (size[1], size[0]))
        if not self.writer.isOpened():
            raise OutputError(f"{path}: OpenCV cannot write MPEG-4 here; check the folder, or try --h264")

    def add(self, image: Image) -> None:
        """Write uint8 RGB [height, width, 3]."""
        self.writer.write(np.ascontiguousarray(image[..., ::-1]))

    def close(self) -> None:
        """Finish the file."""
        self.writer.release()


class H264Writer:
    """H.264 by PyAV, which every browser plays."""

    def __init__(self, path: Path, size: tuple[int, int], rate: float) -> None:
        av = import_av()
        self.frame = av.VideoFrame
        self.container = av.open(plain_path(path, OutputError), "w")
        self.stream = self.container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        self.stream.height, self.stream.width = size
        self.stream.pix_fmt, self.stream.options = "yuv420p", {"crf": "20"}

    def add(self, image: Image) -> None:
        """Write uint8 RGB [height, width, 3]."""
        frame = self.frame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        self.container.mux(self.stream.encode(None))
        self.container.close()


def import_av() -> Any:
    """The package `av`.

    Raises:
        InputError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise InputError('--h264: the package av is not installed; pip install "kpdetect[h264]"') from error
    return av


class OverlayVideo:
    """An overlay video that opens with its first frame, which sets its size; odd sides get one more row or column."""

    def __init__(self, path: Path, rate: float, h264: bool) -> None:
        self.path, self.rate, self.h264 = path, rate, h264
        self.writer: VideoWriter | None = None
        self.size, self.written = (0, 0), 0

    def add(self, image: Image) -> None:
        """Write uint8 RGB [height, width, 3]."""
        height, width = image.shape[:2]
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")  # 4:2:0 codecs need even sides
        if self.writer is None:
            self.size = (even.shape[0], even.shape[1])
            self.writer = (H264Writer if self.h264 else Mpeg4Writer)(self.path, self.size, self.rate)
        if even.shape[:2] == self.size:  # a stream that changes its size half way cannot go on in the same file
            self.writer.add(even)
            self.written += 1

    def close(self) -> None:
        """Finish the file."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


@contextmanager
def overlay_video(path: Path, rate: float, h264: bool) -> Iterator[OverlayVideo]:
    """A video that has its name only once it is complete.

    Raises:
        OutputError: it cannot be written.
    """
    temporary = temporary_name(path, f".part{path.suffix}")  # the ending tells the encoder the container
    sweep(path.parent)
    video = OverlayVideo(temporary, rate, h264)
    try:
        yield video
        video.close()
        if temporary.exists():
            _require_whole(path, temporary, video.written)
            os.replace(temporary, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        video.close()
        temporary.unlink(missing_ok=True)


def _require_whole(path: Path, temporary: Path, frames: int) -> None:
    """Refuse a video of which frames are missing: OpenCV writes on in silence when the disk is full."""
    try:
        with VideoReader(temporary) as reader:
            if reader.count >= frames:
                return
    except InputError:
        pass
    raise OutputError(f"{path}: could not be written to its end; check the disk's free space, then run the same command again")
