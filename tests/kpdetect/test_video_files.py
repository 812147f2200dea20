"""Videos whose containers say little: no presentation times, or no number of frames."""

from fractions import Fraction

import av
import numpy as np
import pytest

from kpdetect.inference import video_index
from kpdetect.inference.clip_frames import VideoFrames
from kpdetect.inference.video import VideoReader

COUNT = 50
VARIABLE = np.cumsum(np.random.default_rng(0).integers(1, 6, COUNT)).tolist()


def film(path, ticks=range(COUNT), codec="libx264", kind=0, sound=0, **options):
    """A video at 25 frames a second, 96 wide and 64 high. Frame i has the grey level 4 i. `kind` is a type of frames."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"crf": "15", **options} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        audio = out.add_stream("mp3", rate=44_100) if sound else None
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 4 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            frame.pict_type = av.video.frame.PictureType(kind if number else 0)
            out.mux(stream.encode(frame))
        for block in range(sound):
            noise = np.random.default_rng(block).normal(0, 0.1, (1, 1152)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, 1152 * block
            out.mux(audio.encode(frame))
        for each in filter(None, (stream, audio)):
            out.mux(each.encode(None))
    return path


def read(path):
    """Numbers, times and pictures of the frames of a video, each picture as its number, and what is said of the file."""
    with VideoReader(path) as reader:
        frames = [(number, seconds, image.mean() / 4) for number, seconds, image in reader.frames()]
        note = reader.shortfall()
    numbers, seconds, pictures = (np.array(column) for column in zip(*frames, strict=True))
    return numbers, seconds, pictures.round().astype(int), note


@pytest.mark.parametrize("suffix", [".avi", ".asf"])
def test_frames_without_presentation_times_are_counted(tmp_path, suffix):
    path = film(tmp_path / f"v{suffix}", bf="3", b_strategy="0")
    numbers, seconds, pictures, note = read(path)
    assert numbers.tolist() == list(range(COUNT))
    np.testing.assert_allclose(pictures, numbers, atol=1)
    np.testing.assert_allclose(seconds, np.arange(COUNT) / 25, atol=1e-3)
    assert note == ""
    frames = VideoFrames(path)
    for number in (40, 3, 4, 49):
        assert frames.frame(number).mean() / 4 == pytest.approx(number, abs=0.8)


def test_after_damage_frames_are_counted_from_the_next_key_frame_on(tmp_path):
    path = film(tmp_path / "v.avi", bf="3", b_strategy="0", g="20", sc_threshold="0")
    with av.open(str(path)) as container:
        damaged = [bytes(packet) for packet in container.demux(video=0)][1]
    path.write_bytes(path.read_bytes().replace(damaged, bytes(len(damaged))))
    numbers, _, pictures, note = read(path)
    assert numbers.tolist() == [*range(19), *range(20, COUNT)]
    assert (pictures[5:19] < numbers[5:19]).all()
    np.testing.assert_allclose(pictures[19:], numbers[19:], atol=1)
    assert "1 frame cannot be decoded: 19; frames shortly before may be numbered too low" in note


def test_stated_times_count_even_if_the_codec_could_reorder_frames(tmp_path):
    path = film(tmp_path / "v.mp4", VARIABLE, kind=2, bf="3", b_strategy="0")
    numbers, seconds, _, note = read(path)
    assert numbers.tolist() == list(range(COUNT))
    np.testing.assert_allclose(seconds, (np.array(VARIABLE) - VARIABLE[0]) / 25, atol=1e-3)
    assert note == ""
    with VideoReader(path) as reader:
        assert reader.stream.codec_context.has_b_frames
        assert reader.keys


CUT = [("v.mkv", {}), ("v.webm", {"codec": "libvpx"}), ("v.flv", {"bf": "0"}), ("sound.flv", {"bf": "0", "sound": 70})]


@pytest.mark.parametrize(("name", "given"), CUT)
def test_a_file_that_states_a_length_and_ends_earlier_is_damaged(tmp_path, name, given):
    path = film(tmp_path / name, **given)
    assert read(path)[3] == ""
    with av.open(str(path)) as container:
        ends = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: ends[40] + 4])
    numbers, _, _, note = read(path)
    assert 37 <= len(numbers) <= 40
    total = {"v.flv": 49}.get(name, COUNT)
    assert note.startswith(f"{path}: damaged after frame {len(numbers)} of ")
    assert abs(int(note.split(" of ")[1].split(";")[0]) - total) <= 1


WHOLE = [*CUT, ("v.asf", {"bf": "2"}), ("v.ts", {"bf": "2"}), ("v.mov", {"bf": "2"}), ("v.mpg", {"codec": "mpeg2video"})]


@pytest.mark.parametrize("ticks", [VARIABLE, range(1)])
@pytest.mark.parametrize(("name", "given"), WHOLE)
def test_whole_files_of_variable_rates_are_whole(tmp_path, name, given, ticks):
    numbers, _, _, note = read(film(tmp_path / name, ticks, **given))
    assert len(numbers) == len(ticks)
    assert note == ""


class Failing:
    """A container whose file cannot be read to its end."""

    def __init__(self, container, count):
        self.container, self.count = container, count

    def __getattr__(self, name):
        return getattr(self.container, name)

    def demux(self, *streams):
        for number, packet in enumerate(self.container.demux(*streams)):
            if number == self.count:
                raise av.error.InvalidDataError(1, "no packet")
            yield packet


@pytest.mark.parametrize(
    ("suffix", "note"), [(".mkv", " of 50"), (".ts", ""), (".mp4", " of 50")], ids=["length", "nothing", "number"]
)
def test_a_file_that_cannot_be_read_to_its_end_is_damaged(tmp_path, monkeypatch, suffix, note):
    original = VideoReader._open

    def opening(reader):
        original(reader)
        reader.container = Failing(reader.container, 30)

    path = film(tmp_path / f"v{suffix}", bf="0")
    monkeypatch.setattr(VideoReader, "_open", opening)
    with VideoReader(path) as reader:
        count = len(list(reader.frames()))
        assert reader.shortfall() == f"{path}: damaged after frame {count}{note}; the frames before it are kept"
        assert reader.shortfall(end=count) == ""


@pytest.mark.parametrize(("text", "seconds"), [("01:02:03.500000000", 3723.5), ("", None), ("1:2", None), ("a:b:c", None)])
def test_lengths_are_read(text, seconds):
    assert video_index._seconds(text) == seconds
