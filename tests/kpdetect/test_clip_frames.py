"""Frames in any order are those that reading from the start gives, and a video is decoded from the nearest key frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from kpdetect.errors import InputError
from kpdetect.inference.clip_frames import PageFrames, VideoFrames
from kpdetect.inference.video import VideoReader
from tests.builders.dots import write_video

COUNT = 90
ORDER = [80, 79, 3, 47, 46, 45, 60, 0, 89, 12, 13, 11, 88, 2]
X264 = {"crf": "12", "g": "20", "bf": "3"}
KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "mp4": ("libx264", ".mp4", X264),
    "mp4, open groups": ("libx264", ".mp4", {**X264, "x264-params": "open-gop=1:scenecut=0"}),
    "mkv": ("libx264", ".mkv", X264),
    "mkv, open groups": ("libx264", ".mkv", {**X264, "x264-params": "open-gop=1:scenecut=0"}),
    "mkv, refreshed without key frames": ("libx264", ".mkv", {**X264, "bf": "0", "x264-params": "intra-refresh=1"}),
    "transport stream": ("libx264", ".ts", X264),
    "avi without times": ("mpeg4", ".avi", {"g": "20", "bf": "2"}),
    "mpeg": ("mpeg2video", ".mpg", {"g": "15", "bf": "2"}),
    "webm": ("libvpx", ".webm", {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "8", "deadline": "realtime"}),
}


def film(path: Path, codec: str, options: dict[str, str], count: int = COUNT) -> Path:
    """A video 64 wide and 48 high in which a square moves on moving noise, so that every frame differs."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64 + count, 3), np.uint8)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        for number in range(count):
            picture = noise[:, number : number + 64] // 3
            picture[number % 40 : number % 40 + 8, 20:30] = 250
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_those_of_reading_from_the_start(tmp_path: Path, kind: str) -> None:
    codec, ending, options = KINDS[kind]
    path = film(tmp_path / f"v{ending}", codec, options)
    with VideoReader(path) as reader:
        wanted = {frame.number: frame.image for frame in reader.frames()}
    assert len(wanted) == COUNT
    frames = VideoFrames(path)
    for number in ORDER:
        assert np.array_equal(frames.frame(number), wanted[number]), number
    with pytest.raises(InputError, match="there is no frame 90"):
        frames.frame(COUNT)
    assert np.array_equal(frames.frame(5), wanted[5])


@pytest.mark.parametrize("kind", ["mp4", "mp4, open groups", "mkv", "mpeg"])
def test_only_the_group_of_a_frame_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    codec, ending, options = KINDS[kind]
    frames = VideoFrames(film(tmp_path / f"v{ending}", codec, options))
    seen: list[int] = []
    original = VideoReader.frames_from

    def counted(reader: VideoReader, *given: Any) -> Any:
        return (seen.append(frame.number) or frame for frame in original(reader, *given))

    monkeypatch.setattr(VideoReader, "frames_from", counted)
    monkeypatch.setattr(VideoReader, "frames", None)  # reading from the start
    frames.frame(85)
    assert seen == list(range(seen[0], 86))
    assert 61 <= seen[0] <= 85
    seen.clear()
    for number in range(84, 60, -1):
        frames.frame(number)
    assert len(seen) <= 50  # each group once or twice, not once for each step back


def test_only_some_frames_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpdetect.inference.clip_frames.KEPT_BYTES", 5 * 48 * 64 * 3)
    frames = VideoFrames(film(tmp_path / "v.mp4", *KINDS["mp4"][::2]))
    frames.frame(15)
    assert sorted(frames.kept) == [11, 12, 13, 14, 15]


def test_a_cut_file_gives_what_it_has(tmp_path: Path) -> None:
    write_video(tmp_path / "v.avi", 40)
    content = (tmp_path / "v.avi").read_bytes()
    (tmp_path / "v.avi").write_bytes(content[: len(content) // 2])
    frames = VideoFrames(tmp_path / "v.avi")
    late, first = frames.frame(12), frames.frame(2)
    with VideoReader(tmp_path / "v.avi") as reader:
        wanted = {frame.number: frame.image for frame in reader.frames()}
    assert np.array_equal(late, wanted[12])
    assert np.array_equal(first, wanted[2])
    with pytest.raises(InputError, match="there is no frame 39; the video was cut or is damaged"):
        frames.frame(39)


def test_pages_in_any_order(tmp_path: Path) -> None:
    pages = [Pillow.fromarray(np.full((9, 12), 20 * number, np.uint8)) for number in range(8)]
    pages[0].save(tmp_path / "v.tif", save_all=True, append_images=pages[1:])
    frames = PageFrames(tmp_path / "v.tif")
    assert [int(frames.frame(number)[0, 0, 0]) // 20 for number in (3, 4, 6, 1, 0, 7)] == [3, 4, 6, 1, 0, 7]
    with pytest.raises(InputError, match=r"v\.tif: there is no frame 8"):
        frames.frame(8)
