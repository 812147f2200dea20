"""Reading videos with PyAV (FFmpeg).

A frame's number is its place among all pictures of the file in order of presentation. Its time is the file's own presentation
time. Frames that cannot be decoded leave a gap in the numbers; they do not move the others.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.inference.clip_reader import UNKNOWN_RATE, ClipReader, Frame, is_wanted

NO_TIMESTAMPS = 0x80
"""FFmpeg's mark of formats without times (AVFMT_NOTIMESTAMPS)."""


class KeyFrame(NamedTuple):
    """A picture that is decoded without any before it.

    Attributes:
        number: its place in the video.
        shown: presentation time in the stream's unit.
        stored: decoding time in that unit; what the file is searched by.
    """

    number: int
    shown: int
    stored: int


class VideoReader(ClipReader):
    """A video file.

    Attributes:
        times: presentation times of all pictures, sorted, in the stream's unit.
        keys: key frames in order; empty where the file's times do not name every picture, so that it has to be read from the
            start.

    Raises:
        InputError: it cannot be opened, or holds no video.
    """

    def __init__(self, path: Path) -> None:
        import av

        super().__init__()
        # Ours are the only lines about damaged files. Any other level lets FFmpeg's threads wait for Python's lock, and hang.
        av.logging.set_level(None)
        self.name, self.path = str(path), path
        if not path.is_file() or path.stat().st_size == 0:
            raise self._unreadable("the file is empty or missing")
        self._open()
        self.times, self.keys = self._index()
        self.rewind()
        self.codec, self.rate = self.stream.codec_context.name, self._rate()

    def _open(self) -> None:
        import av

        try:
            self.container = av.open(file_url(self.path), metadata_errors="replace")
        except (OSError, ValueError) as error:
            raise self._unreadable("unknown or damaged format") from error
        streams = [each for each in self.container.streams.video if each.codec_context is not None and not _is_cover(each)]
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
        """Begin at the first frame again."""
        self.container.close()
        self._open()

    def _index(self) -> tuple[list[int], list[KeyFrame]]:
        """`times` and `keys`; reads the file once without decoding it."""
        times, held, ends, keys, seekable = [], 0, [], [], self._has_times
        for packet in _packets(self.container, self.stream):
            time = packet.pts if packet.pts is not None else packet.dts
            if packet.size == 0 or time is None:
                continue
            held += 1
            seekable = seekable and packet.pts is not None
            if packet.is_keyframe and not packet.is_discard and packet.dts is not None:
                keys.append((time, packet.dts))
            ends.append(time + (packet.duration or 0))
            if not packet.is_discard:
                times.append(time)
        claimed = self.stream.frames
        if claimed > held and self._ends_early(ends):
            self.broken, self.count = True, len(times) + claimed - held
        else:
            self.count = len(times)
        places = {time: number for number, time in enumerate(sorted(set(times)))}
        seekable = seekable and len(places) == len(times)
        return list(places), [KeyFrame(places[time], time, stored) for time, stored in sorted(keys)] if seekable else []

    def _ends_early(self, ends: list[int]) -> bool:
        """Whether the packets end before the stream should; empty packets of AVI files count as time, not as frames."""
        stream = self.stream
        if not stream.duration or not ends:
            return True
        begin = stream.start_time or 0
        one = stream.duration / max(stream.frames, 1)
        return begin + stream.duration - max(ends) > one / 2

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
    def _has_times(self) -> bool:
        """Whether the file states times: streams without a container do not, FFmpeg counts for them."""
        return not self.container.format.flags & NO_TIMESTAMPS

    @property
    def _unit(self) -> float:
        return float(self.stream.time_base or 1)

    def _decoded(self, start: int, end: int | None, stride: int) -> Iterator[Frame]:
        seen: set[int] = set()
        number = -1
        for frame in _pictures(self.container, self.stream):
            number = self._number(frame.pts if frame.pts is not None else frame.dts, number)
            if end is not None and number >= end:
                break
            seen.add(number)
            self.read = number + 1
            if is_wanted(number, start, stride):
                yield Frame(number, self._seconds(number), _picture(frame))
        last = self.read if self.broken else len(self.times)
        self.missing = sorted(set(range(min(last, last if end is None else end))) - seen)

    def frames_from(self, key: KeyFrame, start: int) -> Iterator[Frame]:
        """Frames from number `start` on, decoded from a key frame before it, with the numbers that `frames` gives them; nothing
        where the file cannot be searched so exactly."""
        try:
            self.container.seek(key.stored, stream=self.stream)
        except (OSError, ValueError):
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

    def _number(self, time: int | None, last: int) -> int:
        if time is None:
            return last + 1
        return max(last + 1, bisect_left(self.times, time))

    def _seconds(self, number: int) -> float:
        if not self._has_times:
            return math.nan
        if number < len(self.times):
            return (self.times[number] - self.times[0]) * self._unit
        return number / self.rate  # more pictures than packets


def _is_cover(stream: Any) -> bool:
    """Whether a stream is the still picture of an audio file."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def file_url(path: Path) -> str:
    """The name as FFmpeg takes it: with a protocol, so that a colon in the name is none."""
    return f"file:{os.path.abspath(path)}"


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of a stream, to the end of what can be read."""
    source = container.demux(stream)
    while True:
        try:
            packet = next(source)
        except (StopIteration, OSError, ValueError):
            return
        yield packet


def _pictures(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames; a packet that cannot be decoded costs its own frames only."""
    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except (OSError, ValueError):
            continue


def _pictures_from(container: Any, stream: Any, key: KeyFrame) -> Iterator[Any]:
    """Decoded frames from the packet of a key frame on; searching a file may end some packets before it."""
    begun = False
    for packet in _packets(container, stream):
        begun = begun or (packet.pts == key.shown and packet.is_keyframe)
        if not begun and packet.dts is not None and packet.dts > key.stored:
            return
        try:
            if begun:
                yield from packet.decode()
        except (OSError, ValueError):
            continue


def _picture(frame: Any) -> Image:
    image: Image = frame.to_ndarray(format="rgb24")
    turns = _display(frame)
    return image if turns is None else np.ascontiguousarray(_shown(image, turns))


def _display(frame: Any) -> NDArray[np.int32] | None:
    """The 2x2 part of the display matrix, as signs; None where pictures are shown as they are stored."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), np.int32)[:9].reshape(3, 3)[:2, :2] / 65536
    signs = np.rint(matrix).astype(np.int32)
    return signs if np.abs(signs).sum() == 2 and abs(np.linalg.det(signs)) == 1 else None


def _shown(image: Image, signs: NDArray[np.int32]) -> Image:
    """Turn and mirror: x' = a x + c y, y' = b x + d y for the matrix [[a, b], [c, d]] (ISO 14496-12)."""
    (a, b), (c, d) = signs.tolist()
    if a == 0:
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]
