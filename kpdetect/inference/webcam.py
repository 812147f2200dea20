"""Read a webcam with OpenCV."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

import numpy as np

from kpdetect.errors import InputError
from kpdetect.inference.clip_reader import UNKNOWN_RATE, ClipReader, Frame, is_wanted


class WebcamReader(ClipReader):
    """A webcam. It has no end.

    Raises:
        InputError: the webcam cannot be opened.
    """

    def __init__(self, number: int) -> None:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        import cv2

        super().__init__()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self.name, self.codec = f"webcam {number}", "webcam"
        self.capture = cv2.VideoCapture(number)
        if not self.capture.isOpened():
            raise InputError(
                f"{self.name}: the camera cannot be opened; check its number, and close other programs that use it"
            )
        rate = self.capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and rate > 0 else UNKNOWN_RATE

    def close(self) -> None:
        """Release the camera."""
        self.capture.release()

    def _decoded(self, start: int, end: int | None, stride: int) -> Iterator[Frame]:
        began, number = None, 0
        while (end is None or number < end) and self.capture.grab():
            began = time.monotonic() if began is None else began
            if is_wanted(number, start, stride):
                done, picture = self.capture.retrieve()
                if not done or picture is None:
                    break
                yield Frame(number, time.monotonic() - began, np.ascontiguousarray(picture[..., 2::-1], dtype=np.uint8))
            number += 1
            self.read = number
