"""Read videos with PyAV (FFmpeg).

The number of a frame is its position among all frames of the file, in order of presentation. Its time is the presentation time
in the file. A frame that cannot be decoded leaves a gap: the other frames keep their numbers. If the file states decoding times
only, the frames are counted, and the numbers are right again from the next key frame on.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.inference.clip_reader import UNKNOWN_RATE, UNSURE, ClipReader, Frame, is_wanted
from kpdetect.inference.video_index import KeyFrame, failures, has_times, read_index


class VideoReader(ClipReader):
    """A video file.

    Attributes:
        times: presentation times of all frames, sorted, in the time unit of the stream.
        keys: key frames in order. Empty if the file does not state the time of every frame; it is then read from the start.
        guessed: the packets carry the times of other frames, see `VideoIndex`.

    Raises:
        InputError: the file cannot be opened, or holds no video.
    """

    def __init__(self, path: Path) -> None:
        import av

        super().__init__()
        # kpdetect reports damaged files itself. At any other level, FFmpeg's threads wait for Python's lock and can hang.
        av.logging.set_level(None)
        self.name, self.path = str(path), path
        if not path.is_file() or path.stat().st_size == 0:
            raise self._unreadable("the file is empty or missing")
        self._open()
        self.times, self.keys, self.count, self.broken, self.guessed = read_index(self.container, self.stream)
        self.others = UNSURE if self.guessed else self.others
        self.rewind()
        self.codec, self.rate = self.stream.codec_context.name, self._rate()

    def _open(self) -> None:
        import av

        try:
            self.container = av.open(file_url(self.path), metadata_errors="replace")
        except failures() as error:
            raise self._unreadable("unknown or damaged format") from error
        streams = [
            stream for stream in self.container.streams.video if stream.codec_context is not None and not _is_cover(stream)
        ]
        if not streams:
            self.container.close()
            raise self._unreadable("no pictures that can be decoded")
        self.stream = streams[0]
        self.stream.thread_type = "AUTO"

    def _unreadable(self, reason: str) -> InputError:
        return InputError(f"{self.name}: not a readable video ({reason}); remove or replace it")

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def rewind(self) -> None:
        """Start again at the first frame."""
        self.container.close()
        self._open()

    def _rate(self) -> float:
        span = (self.times[-1] - self.times[0]) * self._unit if len(self.times) > 1 else 0.0
        stated = self.stream.average_rate or self.stream.guessed_rate
        if span > 0:
            return (len(self.times) - 1) / span if not stated or not self._is_constant() else float(stated)
        return float(stated) if stated else UNKNOWN_RATE

    def _is_constant(self) -> bool:
        steps = np.diff(self.times)
        return bool(steps.max() - steps.min() <= max(1.0, 0.02 * float(steps.mean())))

    @property
    def _unit(self) -> float:
        return float(self.stream.time_base or 1)

    def _decoded(self, start: int, end: int | None, stride: int) -> Iterator[Frame]:
        seen: set[int] = set()
        number = -1
        for frame in _pictures(self.container, self.stream):
            number = self._number(frame, number)
            if end is not None and number >= end:
                break
            seen.add(number)
            self.read = number + 1
            if is_wanted(number, start, stride):
                yield Frame(number, self._seconds(number), _picture(frame))
        last = self.read if self.broken else len(self.times)
        self.missing = sorted(set(range(min(last, last if end is None else end))) - seen)

    def frames_from(self, key: KeyFrame, start: int) -> Iterator[Frame]:
        """Decode from a key frame, and yield the frames from number `start` on. They are numbered as in `frames`.

        Yield nothing if the file cannot be searched exactly.
        """
        try:
            self.container.seek(key.stored, stream=self.stream)
        except failures():
            return
        expected = key.number  # comes first; -1 once it came
        for frame in _pictures_from(self.container, self.stream, key):
            if frame.pts is not None and frame.pts < key.shown:
                continue  # shown before the key frame, and needs pictures before it
            number = bisect_left(self.times, frame.pts) if frame.pts is not None else len(self.times)
            if number >= len(self.times) or self.times[number] != frame.pts or expected not in (-1, number):
                return
            expected = -1
            if number >= start:
                yield Frame(number, self._seconds(number), _picture(frame))

    def _number(self, frame: Any, last: int) -> int:
        time = frame.pts if frame.pts is not None or self.guessed else frame.dts
        if time is None or (self.guessed and not frame.key_frame):
            return last + 1
        return max(last + 1, bisect_left(self.times, time))

    def _seconds(self, number: int) -> float:
        if not has_times(self.container):
            return math.nan
        if number < len(self.times):
            return (self.times[number] - self.times[0]) * self._unit
        return number / self.rate  # more pictures than packets


def _is_cover(stream: Any) -> bool:
    """Tell whether a stream is the cover picture of an audio file."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def file_url(path: Path) -> str:
    """Write a file name as a URL for FFmpeg. Without a protocol, FFmpeg would take a name with a colon for a URL."""
    return f"file:{os.path.abspath(path)}"


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream, up to the first unreadable one."""
    source = container.demux(stream)
    while True:
        try:
            packet = next(source, None)
        except failures():
            return
        if packet is None:
            return
        yield packet


def _pictures(container: Any, stream: Any) -> Iterator[Any]:
    """Yield decoded frames. If a packet cannot be decoded, only its frames are missing."""
    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except failures():
            continue


def _pictures_from(container: Any, stream: Any, key: KeyFrame) -> Iterator[Any]:
    """Yield decoded frames from the packet of a key frame on. Skip the packets before it that a search may find first."""
    begun = False
    for packet in _packets(container, stream):
        begun = begun or (packet.pts == key.shown and packet.is_keyframe)
        if not begun and packet.dts is not None and packet.dts > key.stored:
            return
        try:
            if begun:
                yield from packet.decode()
        except failures():
            continue


def _picture(frame: Any) -> Image:
    image: Image = frame.to_ndarray(format="rgb24")
    turns = _display(frame)
    return image if turns is None else np.ascontiguousarray(_shown(image, turns))


def _display(frame: Any) -> NDArray[np.int32] | None:
    """Read the 2x2 part of the display matrix, as signs. Return None if frames are shown as they are stored."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), np.int32)[:9].reshape(3, 3)[:2, :2] / 65536
    signs = np.rint(matrix).astype(np.int32)
    return signs if np.abs(signs).sum() == 2 and abs(np.linalg.det(signs)) == 1 else None


def _shown(image: Image, signs: NDArray[np.int32]) -> Image:
    """Rotate and mirror an image: x' = a x + c y, y' = b x + d y for the matrix [[a, b], [c, d]] (ISO 14496-12)."""
    (a, b), (c, d) = signs.tolist()
    if a == 0:
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]
