"""Videos: frames, sizes and times of what is read and written; damaged files."""

import av
import numpy as np
import pytest

from kpdetect.config import build_config
from kpdetect.errors import ConfigError, InputError
from kpdetect.inference import video_job
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.overlap import workers_of
from kpdetect.inference.overlay_video import overlay_video
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.sources import Clip
from kpdetect.inference.video import VideoReader
from kpdetect.inference.video_job import OneEuroFilter, predict_clip
from kpdetect.inference.webcam import WebcamReader
from kpdetect.training.interrupts import StopRequest
from tests.builders.dots import dots, path_px, perfect, write_video


def clip(path):
    return Clip(name=path.stem, source=path)


def test_every_frame_gets_its_keypoints(tmp_path):
    write_video(tmp_path / "v.avi", 40)
    found, note = predict_clip(perfect(), clip(tmp_path / "v.avi"), tmp_path / "out", PredictConfig())
    assert note == ""
    assert found.frames.tolist() == list(range(40))  # more than one batch
    assert found.sizes[0].tolist() == [102, 122]
    np.testing.assert_allclose(
        found.keypoints_px, [path_px(frame) for frame in range(40)], atol=0.8
    )  # the codec halves the resolution of colours
    lines = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert lines[0] == "frame,time_s,keypoint,x_px,y_px,confidence"
    assert lines[2 * 5 + 2].startswith("5,0.2,1,")  # 5 frames at 25 a second
    again = Predictions.read(tmp_path / "out")
    np.testing.assert_array_equal(again.frames, found.frames)
    np.testing.assert_allclose(again.keypoints_px, found.keypoints_px, atol=1e-3)
    assert again.images[7] == "v/000007.png"


def test_start_end_and_stride_choose_frames(tmp_path):
    write_video(tmp_path / "v.avi", 20)
    config = PredictConfig(start=3, end=15, stride=4)
    found, _ = predict_clip(perfect(), clip(tmp_path / "v.avi"), tmp_path / "out", config)
    assert found.frames.tolist() == [3, 7, 11]
    np.testing.assert_allclose(
        found.keypoints_px, [path_px(frame) for frame in (3, 7, 11)], atol=0.8
    )  # the codec halves the resolution of colours
    with VideoReader(tmp_path / "out" / "overlay.mp4") as reader:
        assert reader.rate == pytest.approx(25 / 4)
        assert len(list(reader.frames())) == 3
    with pytest.raises(InputError, match="no readable frame from 30"):
        predict_clip(perfect(), clip(tmp_path / "v.avi"), tmp_path / "late", PredictConfig(start=30))


def test_an_end_before_the_start_is_refused():
    with pytest.raises(ConfigError, match="predict: end = 30 is not valid: expected more than start, 40"):
        build_config(PredictConfig, {"start": 40, "end": 30}, source="predict")
    assert PredictConfig(start=40, end=41).end == 41


def test_few_frames_are_held_at_a_time(tmp_path, monkeypatch):
    """However long the video: blocks of `BLOCK_BYTES` that are read and predicted, and frames that wait to be drawn."""
    read, drawn, held = [], [], []
    whole, original = video_job._ClipJob._draw, VideoReader.frames

    def draw(job, video, frame, *given):
        held.append(len(read) - len(drawn))
        whole(job, video, frame, *given)
        drawn.append(frame.number)

    monkeypatch.setattr(VideoReader, "frames", lambda *given: (read.append(1) or item for item in original(*given)))
    monkeypatch.setattr(video_job._ClipJob, "_draw", draw)
    monkeypatch.setattr(video_job, "BLOCK_BYTES", 2 * 102 * 122 * 3)
    monkeypatch.setattr(video_job, "DRAWN_AHEAD", 3)
    write_video(tmp_path / "v.avi", 70)
    predictor = perfect()
    predictions, _ = predict_clip(predictor, clip(tmp_path / "v.avi"), tmp_path / "out", PredictConfig())
    assert drawn == list(range(70)) == predictions.frames.tolist()
    blocks = workers_of(predictor.runtime) + 1 + 2  # predicted or waiting, in use, and being read
    assert max(held) <= 2 * blocks + 1 + 3 + 1


@pytest.mark.parametrize("h264", [False, True])
def test_overlay_videos_show_what_was_drawn_and_have_even_sides(tmp_path, h264):
    image = np.zeros((181, 241, 3), np.uint8)
    image[40:80, 100:160] = 200, 100, 50
    with overlay_video(tmp_path / "o.mp4", 12.5, h264) as video:
        for _ in range(5):
            video.add(image)
    with VideoReader(tmp_path / "o.mp4") as reader:
        assert reader.codec == ("h264" if h264 else "mpeg4")
        assert reader.rate == 12.5
        frames = [frame.image for frame in reader.frames()]
    assert [frame.shape for frame in frames] == [(182, 242, 3)] * 5
    np.testing.assert_allclose(frames[4][60, 130], [200, 100, 50], atol=12)
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


def test_odd_sides_are_read(tmp_path):
    with av.open(str(tmp_path / "odd.avi"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = 101, 121, "bgr0"
        for frame in range(4):
            picture = av.VideoFrame.from_ndarray(dots(101, 121, *path_px(frame)), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    found, _ = predict_clip(perfect(), clip(tmp_path / "odd.avi"), tmp_path / "out", PredictConfig())
    assert found.sizes.tolist() == [[101, 121]] * 4
    np.testing.assert_allclose(found.keypoints_px, [path_px(frame) for frame in range(4)], atol=0.2)


def test_a_video_that_breaks_off_keeps_what_was_read(tmp_path):
    write_video(tmp_path / "v.avi", 40)
    content = (tmp_path / "v.avi").read_bytes()
    (tmp_path / "v.avi").write_bytes(content[: len(content) // 2])
    found, note = predict_clip(perfect(), clip(tmp_path / "v.avi"), tmp_path / "out", PredictConfig())
    assert 5 < len(found.frames) < 35
    assert f"damaged after frame {len(found.frames)} of 40" in note


@pytest.mark.parametrize("content", [b"", b"no video", b"\0" * 5000])
def test_what_is_no_video_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(InputError, match="not a readable video") as caught:
        predict_clip(perfect(), clip(tmp_path / "v.mp4"), tmp_path / "out", PredictConfig())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_webcam_is_refused():
    with pytest.raises(InputError, match="webcam 93: the camera cannot be opened"):
        WebcamReader(93)


def _add_then_fail(video):
    video.add(np.zeros((20, 30, 3), np.uint8))
    raise ValueError("cannot go on")


def test_an_interrupted_overlay_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="cannot go on"), overlay_video(tmp_path / "o.mp4", 25, h264=False) as video:
        _add_then_fail(video)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_video_leaves_no_result(tmp_path, monkeypatch):
    class Stopped(StopRequest):
        def __enter__(self):
            self.requested = True
            return self

    monkeypatch.setattr(video_job, "StopRequest", Stopped)
    write_video(tmp_path / "v.avi", 40)
    with pytest.raises(KeyboardInterrupt):
        predict_clip(perfect(), clip(tmp_path / "v.avi"), tmp_path / "out", PredictConfig())
    assert not (tmp_path / "out").exists()


def test_one_euro_by_hand():
    """Two steps of the paper's formulas at 10 frames a second, image side 100, cut-off 1 Hz, beta 2."""
    smooth = OneEuroFilter(rate=10, side=100, cutoff=1.0, beta=2.0)
    np.testing.assert_array_equal(smooth(np.array([[10.0, 20.0]])), [[10, 20]])
    share = 1 / (1 + 10 / (2 * np.pi))  # of a 1 Hz cut-off: 0.38587
    speed = share * np.array([3 * 10 / 100, 4 * 10 / 100])  # sides a second: (0.3, 0.4), filtered
    cutoff = 1.0 + 2.0 * np.hypot(*speed)
    expected = np.array([10.0, 20.0]) + np.array([3.0, 4.0]) / (1 + 10 / (2 * np.pi * cutoff))
    np.testing.assert_allclose(smooth(np.array([[13.0, 24.0]]))[0], expected, rtol=1e-6)


def test_smoothing_steadies_what_rests_and_follows_what_moves(tmp_path):
    noise = np.random.default_rng(0).normal(0, 1.0, (200, 1, 2))
    still, moving = OneEuroFilter(25, 300, 1.0, 20.0), OneEuroFilter(25, 300, 1.0, 20.0)
    rest = np.concatenate([still(100 + step) for step in noise])
    assert rest[50:].std() < 0.6 * noise.std()
    ramp = np.concatenate([moving(np.array([[6.0 * frame, 50.0]])) for frame in range(40)])
    assert abs(ramp[-1, 0] - 6.0 * 39) < 6.0  # less than a frame behind at half a side a second


def test_smoothed_videos_are_recorded_as_such(tmp_path):
    write_video(tmp_path / "v.avi", 6)
    plain, _ = predict_clip(perfect(), clip(tmp_path / "v.avi"), tmp_path / "a", PredictConfig())
    smooth, _ = predict_clip(perfect(), clip(tmp_path / "v.avi"), tmp_path / "b", PredictConfig(smooth=True))
    np.testing.assert_array_equal(smooth.keypoints_px[0], plain.keypoints_px[0])
    assert (smooth.keypoints_px[1:, 0, 0] < plain.keypoints_px[1:, 0, 0]).all()  # behind the dot, which moves to the right
