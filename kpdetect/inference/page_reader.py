"""Read image files that hold several pictures as clips: stacks of TIFF pages, animated GIF, WebP and PNG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.images.decoding import decoded, frame_numbers, opened
from kpdetect.inference.clip_reader import ClipReader, Frame, is_wanted


class PageReader(ClipReader):
    """A stack of pages or an animation in an image file: TIFF, GIF, WebP, PNG.

    Args:
        path: the file.
        numbers: positions of its pictures in the file, if they are already known. None: open the file to count them.

    Raises:
        InputError: the file is not a readable image, or its first page cannot be read.
    """

    def __init__(self, path: Path, numbers: Sequence[int] = ()) -> None:
        super().__init__()
        self.path, self.name, self.numbers = path, str(path), list(numbers)
        if not self.numbers:
            with opened(path) as picture:
                self.numbers = frame_numbers(picture)
        self.count = len(self.numbers)

    def _decoded(self, start: int, end: int | None, stride: int) -> Iterator[Frame]:
        seconds = 0.0
        numbers = self.numbers if end is None else self.numbers[:end]
        try:
            with opened(self.path) as picture:
                self.codec = (picture.format or "").lower()
                for number, page in enumerate(numbers):
                    picture.seek(page)
                    if picture.format == "WEBP":
                        picture.load()  # Pillow learns here how long the picture lasts
                    lasts = picture.info.get("duration")  # milliseconds; TIFF states none
                    if is_wanted(number, start, stride):
                        yield Frame(number, math.nan if lasts is None else seconds, decoded(picture, self.name))
                    seconds += float(lasts or 0) / 1000
                    self.read = number + 1
        except InputError:
            if self.read == 0:
                raise  # no page was read, so report the reason
            self.broken = True
