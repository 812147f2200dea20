"""The images of a folder of predictions: image files, or frames of a video."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Protocol

import cv2
import numpy as np

from kpdetect.errors import InputError
from kpdetect.files.archives.opening import is_archive, reopened
from kpdetect.images.arrays import Image
from kpdetect.images.image_files import read_image
from kpdetect.inference.clip_frames import PageFrames, VideoFrames
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.sources import is_stack
from kpdetect.studio.workplace import Workplace, source_of

THUMBNAIL, LONGEST = 96, 1600
"""Lengths in pixels of the longer side of an image in the filmstrip and on the page."""
KEPT_BYTES = 256 * 2**20
"""Largest size in bytes of all encoded images that are kept in memory."""


class Source(Protocol):
    """A source of the images of predictions."""

    def picture(self, row: int) -> Image:
        """Read the image of row `row` of the predictions."""


class ImageFolder:
    """Image files below a folder, or a single image file."""

    def __init__(self, workplace: Workplace, folder: Path, names: list[str]) -> None:
        self.workplace, self.folder, self.names = workplace, folder, names

    def picture(self, row: int) -> Image:
        """Read image file number `row`."""
        return read_image(self.workplace.inside(self.folder / self.names[row]))


class Frames:
    """Frames of a video or an image stack. The file is opened when the first frame is needed."""

    def __init__(self, path: Path, numbers: list[int]) -> None:
        self.path, self.numbers = path, numbers
        self.opened: PageFrames | VideoFrames | None = None

    def picture(self, row: int) -> Image:
        """Read the frame of row `row` of the predictions."""
        if self.opened is None:
            self.opened = PageFrames(self.path) if is_stack(self.path) else VideoFrames(self.path)
        return self.opened.frame(self.numbers[row])


class Pictures:
    """The encoded images of one folder of predictions. Those used last are kept in memory."""

    def __init__(self, workplace: Workplace, folder: Path, predictions: Predictions) -> None:
        self.source = _source(workplace, folder, predictions)
        self.lock, self.bytes = Lock(), 0
        self.kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def jpeg(self, row: int, thumbnail: bool) -> bytes:
        """Return an image as JPEG, scaled down to `THUMBNAIL` or `LONGEST`.

        Raises:
            InputError: the image is missing, or cannot be read.
        """
        side = THUMBNAIL if thumbnail else LONGEST
        with self.lock:
            if (row, side) not in self.kept:
                image = self.source.picture(row)
                for each in (THUMBNAIL, LONGEST):
                    self._keep((row, each), _encoded(image, each))
            self.kept.move_to_end((row, side))
            return self.kept[row, side]

    def _keep(self, key: tuple[int, int], content: bytes) -> None:
        self.kept[key] = content
        self.bytes += len(content)
        while self.bytes > KEPT_BYTES and len(self.kept) > 2:
            self.bytes -= len(self.kept.popitem(last=False)[1])


def _source(workplace: Workplace, folder: Path, predictions: Predictions) -> Source:
    source = source_of(folder)
    if predictions.frames is not None:
        if source is None:
            raise InputError(f"{folder}: the video that was predicted is not where it was; the points are shown without it")
        return Frames(workplace.inside(source), predictions.frames.tolist())
    images = workplace.images if source is None else source.parent if source.is_file() and not is_archive(source) else source
    if images is None or not reopened(images, predictions.images[0]):
        raise InputError(f"{folder}: the images that were predicted are not where they were; start the studio with --images")
    return ImageFolder(workplace, images, predictions.images)


def _encoded(image: Image, longest: int) -> bytes:
    factor = min(1.0, longest / max(image.shape[:2]))
    if factor < 1:
        width, height = (max(1, round(side * factor)) for side in image.shape[1::-1])
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
