"""The index of a video: the times of its frames, and whether the file is whole. It is read with PyAV, without decoding."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple

NO_TIMESTAMPS = 0x80
"""FFmpeg's mark of formats without times (AVFMT_NOTIMESTAMPS)."""
DECODING_TIMES = frozenset({"avi", "asf"})
"""FFmpeg's names of the formats that store when a frame is decoded, not when it is shown."""
MATROSKA, FLASH = "matroska,webm", "flv"
"""FFmpeg's names of the formats that state how long a video is, but not how many frames it has."""
MISSED = 1.5
"""A file that ends this many frames before its stated end lacks frames. A whole Flash video may end one frame early."""


def failures() -> tuple[type[Exception], ...]:
    """Return the types of errors that PyAV raises for a damaged file. Some of them are not subclasses of OSError."""
    import av

    return OSError, ValueError, av.FFmpegError


class KeyFrame(NamedTuple):
    """A frame that is decoded without the frames before it.

    Attributes:
        number: position of the frame in the video, from 0.
        shown: presentation time, in the time unit of the stream.
        stored: decoding time in the same unit. FFmpeg searches the file by this time.
    """

    number: int
    shown: int
    stored: int


class VideoIndex(NamedTuple):
    """What `read_index` found in a file.

    Attributes:
        times: presentation times of all frames, sorted, in the time unit of the stream.
        keys: key frames in order. Empty if the file does not state the time of every frame.
        expected: number of frames that the file should have; 0 if the file is damaged and does not say it.
        broken: frames are missing at the end.
        guessed: `times` is right, but the packets carry the times of other frames. Frames are counted as they are decoded.
    """

    times: list[int]
    keys: list[KeyFrame]
    expected: int
    broken: bool
    guessed: bool


def has_times(container: Any) -> bool:
    """Tell whether a file states times. Streams without a container state none; FFmpeg counts frames instead."""
    return not container.format.flags & NO_TIMESTAMPS


@dataclass
class _Packets:
    """The packets of a video, in the order of the file.

    Attributes:
        times: presentation times of the frames to show.
        ends: times at which the packets end, in the unit of the stream.
        keys: presentation and decoding times of key frames.
        shown: presentation times of all packets that state one.
        latest: time in seconds at which the last packet of any stream that was read ends.
        complete: every packet states its presentation time.
        failed: the file could not be read to its end.
    """

    times: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    keys: list[tuple[int, int]] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    latest: float = 0.0
    complete: bool = True
    failed: bool = False

    def read(self, container: Any, stream: Any, *others: Any) -> _Packets:
        """Read the packets of a stream. Of other streams, read only where they end."""
        try:
            for packet in container.demux(stream, *others):
                time = packet.pts if packet.pts is not None else packet.dts
                if packet.size == 0 or time is None:
                    continue
                self.latest = max(self.latest, float((time + (packet.duration or 0)) * (packet.time_base or 1)))
                if packet.stream_index == stream.index:
                    self._add(packet, time)
        except failures():
            self.failed = True
        return self

    def _add(self, packet: Any, time: int) -> None:
        self.complete = self.complete and packet.pts is not None
        if packet.pts is not None:
            self.shown.append(packet.pts)
        if packet.is_keyframe and not packet.is_discard and packet.dts is not None:
            self.keys.append((time, packet.dts))
        self.ends.append(time + (packet.duration or 0))
        if not packet.is_discard:
            self.times.append(time)


def read_index(container: Any, stream: Any) -> VideoIndex:
    """Read the index of an open video. The container must be opened again, or rewound, to decode it."""
    stated, streams = _stated(container, stream)
    packets = _Packets().read(container, stream, *streams)
    lacking = _lacking(stream, packets, stated)
    guessed = (
        container.format.name in DECODING_TIMES
        and bool(stream.codec_context.has_b_frames)
        and all(early < late for early, late in pairwise(packets.shown))
    )
    times = sorted(set(packets.times))
    keys = list[KeyFrame]()
    if has_times(container) and packets.complete and not guessed and len(times) == len(packets.times):
        keys = [KeyFrame(bisect_left(times, time), time, stored) for time, stored in sorted(packets.keys)]
    expected = 0 if lacking is None else len(packets.times) + lacking
    return VideoIndex(times, keys, expected, lacking != 0, guessed)


def _stated(container: Any, stream: Any) -> tuple[float | None, Sequence[Any]]:
    """Read the length in seconds that a file of an unknown number of frames states, and which other streams it includes."""
    if stream.frames or container.format.name not in (MATROSKA, FLASH):
        return None, ()
    if container.format.name == MATROSKA and (own := _seconds(stream.metadata.get("DURATION", ""))):
        return own, ()
    others = [each for each in container.streams if each.index != stream.index and each.type in ("audio", "video")]
    return (container.duration / 1e6, others) if container.duration else (None, ())


def _seconds(text: str) -> float | None:
    """Read a time such as 00:01:02.500000000."""
    try:
        hours, minutes, seconds = text.split(":")
        return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds)).total_seconds()
    except (ValueError, OverflowError):
        return None


def _lacking(stream: Any, packets: _Packets, stated: float | None) -> int | None:
    """Count the frames that are missing at the end of the file; None if some are missing, and nothing says how many."""
    claimed, held = stream.frames, len(packets.ends)
    if claimed:
        early = claimed > held and (packets.failed or _ends_early(stream, packets.ends))
        return claimed - held if early else 0
    if stated is None:
        return None if packets.failed else 0
    step, longest = _steps(stream, packets.times)
    rest = stated - packets.latest
    return max(1, round(rest / step)) if rest > MISSED * longest else 0


def _steps(stream: Any, times: list[int]) -> tuple[float, float]:
    """Return the mean and the longest time between frames in seconds. At a variable rate, the last frame may last long too."""
    rate = stream.average_rate or stream.guessed_rate
    stated, unit = float(1 / rate) if rate else 0.0, float(stream.time_base or 1)
    ordered = sorted(set(times))
    steps = [(late - early) * unit for early, late in pairwise(ordered)]
    mean = sum(steps) / len(steps) if steps else stated
    return mean or 1.0, max([stated, *steps])


def _ends_early(stream: Any, ends: list[int]) -> bool:
    """Tell whether the file ends before the duration that it states. Empty packets of AVI files add time, but no frames."""
    if not stream.duration or not ends:
        return True
    begin = stream.start_time or 0
    one = stream.duration / max(stream.frames, 1)
    return bool(begin + stream.duration - max(ends) > one / 2)
