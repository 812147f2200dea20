"""Read frames of a clip in any order. A frame has the same number as when the clip is read from the start.

A video is decoded from the nearest key frame before the wanted frame. If the file does not state the time
of every frame, or if a search in it is inexact, the video is decoded from its start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.inference.clip_reader import Frame
from kpdetect.inference.page_reader import PageReader
from kpdetect.inference.video import VideoReader
from kpdetect.inference.video_index import KeyFrame

KEPT_FRAMES, KEPT_BYTES = 48, 128 * 2**20
"""Number of decoded frames kept in memory. They are the frames before the current one, because users step back."""


class PageFrames:
    """An open stack of pages, or an animation.

    Args:
        path: the file.

    Raises:
        InputError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.reader = PageReader(path)
        self.coming: Iterator[Frame] = iter(())
        self.next = self.reader.count

    def frame(self, number: int) -> Image:
        """Read page `number`, uint8 RGB [height, width, 3].

        Raises:
            InputError: the file has no such page.
        """
        if number < self.next:
            self.coming = self.reader.frames(number)
        for frame in self.coming:
            self.next = frame.number + 1
            if frame.number >= number:
                return frame.image
        raise _missing(self.reader.path, number)


class VideoFrames:
    """An open video.

    Args:
        path: the file.

    Raises:
        InputError: the file cannot be opened, or holds no video.
    """

    def __init__(self, path: Path) -> None:
        self.reader = VideoReader(path)
        self.coming: Iterator[Frame] = iter(())
        self.next = len(self.reader.times)
        self.kept: OrderedDict[int, Image] = OrderedDict()

    def frame(self, number: int) -> Image:
        """Read frame `number`, uint8 RGB [height, width, 3]. If it cannot be decoded, read the next frame.

        Raises:
            InputError: the video ends before this frame.
        """
        if number not in self.kept and not (self._decode(number) or self._decode_from_start(number)):
            raise _missing(self.reader.path, number)
        self.kept.move_to_end(number)
        return self.kept[number]

    def _decode(self, number: int) -> bool:
        """Decode from the current frame or from a key frame until frame `number`. Return False if this frame does not come."""
        key = self._key_before(number)
        if key is not None and not key.number <= self.next <= number:
            self.next = max(key.number, number - KEPT_FRAMES + 1)
            self.coming = self.reader.frames_from(key, self.next)
        return self.next <= number and self._run_to(number, exactly=key is not None)

    def _decode_from_start(self, number: int) -> bool:
        self.reader.rewind()
        self.next = max(0, number - KEPT_FRAMES + 1)
        self.coming = self.reader.frames(self.next)
        return self._run_to(number, exactly=False)

    def _run_to(self, number: int, exactly: bool) -> bool:
        for frame in self.coming:
            self.next = frame.number + 1
            self._keep(frame.number, frame.image)
            if frame.number == number:
                return True
            if frame.number > number:
                if not exactly:
                    self._keep(number, frame.image)
                return not exactly
        self.next = len(self.reader.times)
        return False

    def _key_before(self, number: int) -> KeyFrame | None:
        place = bisect_right(self.reader.keys, number, key=lambda key: key.number)
        return self.reader.keys[place - 1] if place else None

    def _keep(self, number: int, image: Image) -> None:
        self.kept[number] = image
        while len(self.kept) > max(2, min(KEPT_FRAMES, KEPT_BYTES // image.nbytes)):
            self.kept.popitem(last=False)


def _missing(path: Path, number: int) -> InputError:
    return InputError(f"{path.name}: there is no frame {number}; the video was cut or is damaged")
