"""Numbers and times of frames are those of the file: variable rates, gaps, trims, damage, turned pictures, stacks of pages."""

import math
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from kpdetect.errors import InputError
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.overlay_video import OverlayWriter, overlay_video
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.sources import Clip, find_sources
from kpdetect.inference.video import VideoReader
from kpdetect.inference.video_job import OneEuroFilter, open_clip, predict_clip
from tests.builders.dots import perfect

TICK = Fraction(1, 90_000)
STEADY = [3000 * number for number in range(60)]
CHANGING = STEADY[:30] + [87_000 + 9000 * (number + 1) for number in range(30)]


def encode(path, ticks, codec="libx264", matrix=None, **options):
    """A video 128 wide and 96 high whose frame i has the grey level 2 i."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as out:
        stream = out.add_stream(codec, rate=30, options={"crf": "10", "bf": "0", **options} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = TICK if codec == "libx264" else Fraction(1, 30)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 2 * number % 256, np.uint8), format="rgb24")
            frame.pts, frame.time_base = tick, TICK if codec == "libx264" else Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def read(path, **given):
    """Numbers, times and grey levels of the frames of a clip, and what is said of it."""
    with open_clip(path) as clip:
        frames = [(number, seconds, image[40, 60].mean()) for number, seconds, image in clip.frames(**given)]
        note = clip.shortfall(given.get("end"))
    numbers, seconds, grey = (np.array(column) for column in zip(*frames, strict=True))
    return numbers, seconds, grey, note


@pytest.mark.parametrize("ticks", [STEADY, CHANGING])
def test_times_are_the_files(tmp_path, ticks):
    numbers, seconds, grey, note = read(encode(tmp_path / "v.mp4", ticks))
    np.testing.assert_array_equal(numbers, np.arange(60))
    np.testing.assert_allclose(seconds, np.array(ticks) / 90_000, atol=1e-9)
    np.testing.assert_allclose(grey, 2 * np.arange(60), atol=2)
    assert note == ""


def test_times_reach_the_table_and_come_back(tmp_path):
    path = encode(tmp_path / "v.mp4", CHANGING)
    found, _ = predict_clip(perfect(), Clip(name="v", source=path), tmp_path / "out", PredictConfig(stride=29))
    assert found.frames.tolist() == [0, 29, 58]
    lines = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert lines[3].startswith("29,0.9667,0,")
    assert lines[5].startswith("58,3.8667,0,")
    np.testing.assert_allclose(Predictions.read(tmp_path / "out").times, [0, 0.9667, 3.8667])
    with VideoReader(tmp_path / "out" / "overlay.mp4") as overlay:
        np.testing.assert_allclose([frame.seconds for frame in overlay.frames()], [0, 0.9667, 3.8667], atol=1e-4)


def test_the_first_frame_is_at_zero(tmp_path):
    _, seconds, _, _ = read(encode(tmp_path / "v.mkv", [900_000 + tick for tick in STEADY]))
    np.testing.assert_allclose(seconds[[0, 59]], [0, 59 / 30], atol=1e-3)  # Matroska counts milliseconds


def test_empty_packets_of_avi_files_are_time_not_frames(tmp_path):
    ticks = [*range(30), *range(32, 122, 3)]
    numbers, seconds, grey, note = read(encode(tmp_path / "v.avi", ticks, codec="mjpeg"))
    np.testing.assert_array_equal(numbers, np.arange(60))
    np.testing.assert_allclose(seconds, np.array(ticks) / 30, atol=1e-9)
    np.testing.assert_allclose(grey, 2 * np.arange(60), atol=3)
    assert note == ""


def packets(path):
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".avi", "mjpeg")])
def test_a_damaged_packet_leaves_a_gap(tmp_path, suffix, codec):
    ticks = STEADY if codec == "libx264" else range(60)
    path = encode(tmp_path / f"v{suffix}", ticks, codec=codec)
    content = bytearray(path.read_bytes())
    for position, size in packets(path)[20:23]:
        content[position : position + size] = bytes(size)
    path.write_bytes(content)
    numbers, seconds, _, note = read(path)
    assert numbers.tolist() == [*range(20), *range(23, 60)]
    np.testing.assert_allclose(seconds[[19, 20]], [19 / 30, 23 / 30])
    assert note == f"{path}: 3 frames cannot be decoded: 20 to 22; the others keep their numbers"
    assert read(path, end=21)[3].endswith("1 frame cannot be decoded: 20; the others keep their numbers")
    assert read(path, end=20)[3] == ""


def test_a_file_that_lacks_a_few_frames_is_said_to(tmp_path):
    path = encode(tmp_path / "v.mp4", STEADY)
    places = packets(path)
    path.write_bytes(path.read_bytes()[: places[58][0] + 3])
    numbers, _, _, note = read(path)
    assert numbers.tolist() == list(range(58))
    assert note == f"{path}: damaged after frame 58 of 60; the frames before it are kept"
    assert read(path, end=58)[3] == ""


def test_a_trimmed_file_is_whole(tmp_path):
    """Frames before the edit list's start are in the file for decoding only."""
    whole = encode(tmp_path / "whole.mp4", [3000 * number for number in range(120)], g="60")
    with av.open(str(whole)) as source, av.open(str(tmp_path / "trim.mp4"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None and 60 * 3000 <= packet.pts < 100 * 3000:
                packet.pts, packet.dts = packet.pts - 75 * 3000, packet.dts - 75 * 3000
                packet.stream = stream
                out.mux(packet)
    with av.open(str(tmp_path / "trim.mp4")) as container:
        assert any(packet.is_discard for packet in container.demux(video=0))
    numbers, seconds, grey, note = read(tmp_path / "trim.mp4")
    assert numbers.tolist() == list(range(25))
    np.testing.assert_allclose(seconds[-1], 24 / 30, atol=1e-6)
    np.testing.assert_allclose(grey, 2 * (75 + np.arange(25)), atol=2)
    assert note == ""


def marked(tmp_path, matrix):
    """First frame of a video with a bright top left quarter, as it is read and as OpenCV reads it."""
    with av.open(str(tmp_path / "m.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.set_display_matrix(matrix)
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[:30, :50] = 255
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    with open_clip(tmp_path / "m.mp4") as clip:
        image = next(iter(clip.frames())).image
    _, other = cv2.VideoCapture(str(tmp_path / "m.mp4")).read()
    return image, other


ONE = 1 << 16
TURNED = [(0, ONE, -ONE, 0), (0, -ONE, ONE, 0), (-ONE, 0, 0, -ONE)]


@pytest.mark.parametrize("signs", TURNED)
def test_turned_videos_are_read_as_opencv_turns_them(tmp_path, signs):
    a, b, c, d = signs
    image, other = marked(tmp_path, [a, b, 0, c, d, 0, 0, 0, 1 << 30])
    assert image.shape == other.shape == ((96, 128, 3) if a else (128, 96, 3))
    np.testing.assert_allclose(image, other, atol=12)


def test_mirrored_videos_are_read_mirrored(tmp_path):
    """x' = a x + c y, y' = b x + d y (ISO 14496-12), here x' = -x."""
    image, _ = marked(tmp_path, [-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30])
    assert image.shape == (96, 128, 3)
    assert image[:25, -45:].min() > 200
    assert image[:, :70].max() < 50
    assert image[40:].max() < 50


@pytest.mark.parametrize("rate", [29.97, 119.88012, 214.91681923, 239.8673, 954.907, 0.3])
def test_overlays_open_at_any_rate(tmp_path, rate):
    writer = OverlayWriter(tmp_path / "x.mp4", (64, 64), rate)
    for _ in range(4):
        writer.add(np.zeros((64, 64, 3), np.uint8))
    writer.close()
    with VideoReader(tmp_path / "x.mp4") as reader:
        times = [frame.seconds for frame in reader.frames()]
    np.testing.assert_allclose(np.diff(times), 1 / rate, atol=1 / 60_000)


def test_an_overlay_that_cannot_be_written_costs_nothing_else(tmp_path, small_project, monkeypatch):
    def refuse(*_given, **_more):
        raise OSError(22, "no such encoder")

    monkeypatch.setattr("kpdetect.inference.overlay_video.OverlayWriter", refuse)
    (tmp_path / "films").mkdir()
    for name in ("a.mp4", "b.mp4"):
        encode(tmp_path / "films" / name, STEADY[:3])
    summary = predict_inputs(small_project, [str(tmp_path / "films")], tmp_path / "out")
    assert [count for _, count in summary.clips] == [3, 3]
    assert set(summary.skipped) == {"a.mp4", "b.mp4"}
    assert "overlay.mp4: cannot be written (no such encoder)" in summary.skipped["a.mp4"]
    assert sorted(path.name for path in (tmp_path / "out" / "videos" / "a").iterdir()) == [
        "predictions.csv",
        "predictions.json",
    ]


def test_a_second_overlay_replaces_none_that_cannot_be_finished(tmp_path, monkeypatch):
    (tmp_path / "o.mp4").write_bytes(b"earlier")
    with overlay_video(tmp_path / "o.mp4", 25, h264=False) as video:
        video.add(np.zeros((20, 30, 3), np.uint8))
        monkeypatch.setattr(video.writer, "close", lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert "the disk is full" in video.failure
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]
    assert (tmp_path / "o.mp4").read_bytes() == b"earlier"


def test_colons_in_names_are_no_protocols(tmp_path, small_project):
    path = encode(tmp_path / "2024-05-01T10:30:00.mp4", STEADY[:3])
    summary = predict_inputs(small_project, [str(path)], tmp_path / "10:30", PredictConfig(h264=True))
    ((folder, count),) = summary.clips
    assert count == 3
    assert (folder / "overlay.mp4").exists()


def test_smoothing_takes_real_steps():
    """A gap of three frames is three times the step of a filter at the file's rate."""
    steps, single = OneEuroFilter(10, 100, 1.0, 0.0), OneEuroFilter(10 / 3, 100, 1.0, 0.0)
    first, second = np.array([[10.0, 20.0]]), np.array([[13.0, 24.0]])
    assert (steps(first) == single(first)).all()
    np.testing.assert_allclose(steps(second, 0.3), single(second))


def test_pages_are_frames(tmp_path, small_project):
    pages = [np.full((60, 80), 20 * number, np.uint8) for number in range(6)]
    pictures = [Pillow.fromarray(page) for page in pages]
    pictures[0].save(tmp_path / "stack.tif", save_all=True, append_images=pictures[1:])
    pictures[0].save(tmp_path / "film.gif", save_all=True, append_images=pictures[1:3], duration=40)
    pictures[0].save(tmp_path / "film.png", save_all=True, append_images=pictures[1:3], duration=500)
    pictures[0].save(tmp_path / "single.tif")
    sources = find_sources([str(tmp_path)])
    assert [path.name for path in sources.images] == ["single.tif"]
    assert [clip.name for clip in sources.clips] == ["film-gif", "film-png", "stack"]
    numbers, seconds, grey, note = read(tmp_path / "stack.tif")
    assert numbers.tolist() == list(range(6))
    assert all(math.isnan(each) for each in seconds)
    assert grey.tolist() == [0, 20, 40, 60, 80, 100]
    assert note == ""
    np.testing.assert_allclose(read(tmp_path / "film.gif")[1], [0, 0.04, 0.08])
    np.testing.assert_allclose(read(tmp_path / "film.png")[1], [0, 0.5, 1.0])
    predict_inputs(small_project, [str(tmp_path / "stack.tif")], tmp_path / "out")
    again = Predictions.read(tmp_path / "out" / "videos" / "stack")
    assert again.frames.tolist() == list(range(6))
    assert np.isnan(again.times).all()


def test_a_raw_stream_states_no_times(tmp_path):
    encode(tmp_path / "v.mjpeg", range(5), codec="mjpeg")
    numbers, seconds, _, note = read(tmp_path / "v.mjpeg")
    assert numbers.tolist() == list(range(5))
    assert np.isnan(seconds).all()
    assert note == ""


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(Exception, match="no pictures that can be decoded"):
        VideoReader(tmp_path / "a.mp4")


def test_every_error_of_ffmpeg_means_an_unreadable_video(tmp_path, monkeypatch):
    import av

    path = encode(tmp_path / "v.mp4", range(3))
    for error in (av.error.EOFError(1, "end"), av.error.PatchWelcomeError(2, "odd"), av.error.BugError(3, "bug")):

        def refuse(*arguments, error=error, **options):
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(av, "open", refuse)
            with pytest.raises(InputError, match=r"v\.mp4: not a readable video"):
                open_clip(path)
