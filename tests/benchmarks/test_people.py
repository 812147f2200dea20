"""Taichi, Human3.6M, BBC Pose and DeepFashion on synthetic copies in their distributed formats."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from benchmarks.datasets.bbc_pose import load_bbc_pose
from benchmarks.datasets.deepfashion import load_deepfashion
from benchmarks.datasets.human36m import load_human36m
from benchmarks.datasets.taichi import load_taichi, read_table
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.evaluation.placed import place
from benchmarks.protocol.bodies import BBC_POSE, DEEPFASHION, HUMAN36M, TAICHI
from kpdetect.errors import FormatError, InputError, KpdetectError
from tests.builders.official import bbc_joints, replace, write_bbc_pose, write_deepfashion, write_human36m, write_taichi


def test_taichi_sums_taxicab_errors_over_the_points(tmp_path: Path) -> None:
    found = load_taichi(write_taichi(tmp_path), TAICHI)
    assert [found.images[index] for index in found.test] == ["test/frame_0.png", "test/frame_1.png", "test/frame_2.png"]
    assert found.landmarks_px[found.test[2], 0] == pytest.approx([42, 200])
    assert np.isnan(found.landmarks_px[found.test[1], 3]).all()
    placed = place(found, TAICHI, TAICHI.headline)
    # 3 + 4 pixels off at every point but point 0, which is right: 17 points of 7 pixels.
    off = np.nan_to_num(placed.test) + [3.0, -4.0]
    off[:, 0] -= [3.0, -4.0]
    assert placed.measure(off).score.mean_of_ratios == pytest.approx(17 * 7)
    assert np.nanmax(placed.measure(off).errors) == pytest.approx(7.0)  # points are not multiplied: PCK is that of points
    # One image of three shows point 3 wrong by 7: it is hidden in another, so that its own mean is 3.5.
    off = np.nan_to_num(placed.test)
    off[0, 3] += [3.0, -4.0]
    assert placed.measure(off).score.mean_of_ratios == pytest.approx(3.5)


def test_a_smaller_copy_of_taichi_has_the_same_floor(tmp_path: Path) -> None:
    whole, half = load_taichi(write_taichi(tmp_path / "a"), TAICHI), load_taichi(
        write_taichi(tmp_path / "b", size=(128, 64)), TAICHI
    )  # fmt: skip
    first, second = (evaluate(None, each, TAICHI)[0].row.mean_of_ratios for each in (whole, half))
    assert first > 1
    assert second == pytest.approx(first)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_tables_of_every_pickle_protocol_are_read(tmp_path: Path, protocol: int) -> None:
    path = write_taichi(tmp_path) / "landmark" / "taichi_train_gt.pkl"
    table = read_table(path)
    table.to_pickle(path, protocol=protocol)
    again = read_table(path)
    assert list(again["file_name"]) == [f"frame_{number}.png" for number in range(6)]
    assert np.array_equal(again["value"][2], table["value"][2])


class Surprise:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this code ran",)


def test_pickles_that_would_run_code_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.pkl"
    path.write_bytes(pickle.dumps(Surprise()))
    with pytest.raises(FormatError, match=r"t.pkl: the pickle refers to builtins.print, which no table of points needs"):
        read_table(path)
    assert "ran" not in capsys.readouterr().out
    path.write_bytes(b"\x80\x04garbage")
    with pytest.raises(FormatError, match=r"t.pkl: not a pickled table"):
        read_table(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(FormatError, match=r"not a table with the columns file_name and value"):
        read_table(path)
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "absent.pkl")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("value", np.zeros((17, 2)), r"taichi_test_gt.pkl, entry 1: array of \(17, 2\); expected 18 finite points"),
        ("value", np.full((18, 2), np.nan), r"entry 1: array of \(18, 2\); expected 18 finite points"),
        ("value", np.full((18, 2), 900), r"entry 1: point_0 at x 900, y 900, but the image is 256x256"),
        ("file_name", "frame_0.png", r"entry 1: test/frame_0.png is already at .*entry 0"),
        ("file_name", "frame_9.png", r"1 listed images are missing, the first is test/frame_9.png"),
    ],
)
def test_faults_of_taichi_are_named_by_entry(tmp_path: Path, column: str, value: object, message: str) -> None:
    path = write_taichi(tmp_path) / "landmark" / "taichi_test_gt.pkl"
    table = read_table(path)
    table.at[1, column] = value  # type: ignore[index]
    table.to_pickle(path)
    with pytest.raises(KpdetectError, match=message):
        load_taichi(tmp_path, TAICHI)


def test_human36m_knows_neither_left_nor_right(tmp_path: Path) -> None:
    found = load_human36m(write_human36m(tmp_path), HUMAN36M)
    assert (len(found.fit), len(found.test)) == (6 * 2 * 2, 4)
    assert found.images[0] == "S1/WithBackground/Directions/000000.jpg"
    assert not any("Eating" in name for name in found.images)
    assert found.landmarks_px[0, 3] == pytest.approx([(0.2 + 0.045) * 64 - 0.5, (0.1 + 0.025 * 15) * 48 - 0.5])
    placed = place(found, HUMAN36M, HUMAN36M.headline)
    assert placed.unit == pytest.approx([128.0] * 4)
    # Every second frame is named from the other side and its joints lie 0.01 of the width to the right: the mean shape, once
    # names are settled, is off by half of that.
    assert placed.mean_shape().score.mean_of_ratios == pytest.approx(0.5)


def test_fitting_settles_the_names(tmp_path: Path) -> None:
    found = load_human36m(write_human36m(tmp_path), HUMAN36M)
    placed = place(found, HUMAN36M, HUMAN36M.headline)
    keypoints = np.arange(len(found.images))[:, None, None] % 2 + np.array([[[1.0, 2.0]]])
    result = placed.regress(keypoints[found.fit], keypoints[found.test], bias=True)
    assert result.score.mean_of_ratios == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"joints": np.zeros((32, 2))}, r"000001.mat: no variable keypoints_2d"),
        ({"keypoints_2d": np.zeros((17, 2))}, r"000001.mat: keypoints_2d of \(17, 2\); expected 32 finite pairs"),
        ({"keypoints_2d": np.full((32, 2), np.nan)}, r"000001.mat: keypoints_2d of \(32, 2\); expected 32 finite"),
        ({"keypoints_2d": np.full((32, 2), 300.0)}, r"000001.mat: hips at x 19199.5, y 14399.5, but the image is 64x48"),
    ],
)
def test_faults_of_human36m_are_named_by_file(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    savemat(write_human36m(tmp_path) / "S11" / "Landmarks" / "Directions" / "000001.mat", content)
    with pytest.raises(KpdetectError, match=message):
        load_human36m(tmp_path, HUMAN36M)


def test_damaged_and_missing_mat_files(tmp_path: Path) -> None:
    path = write_human36m(tmp_path) / "S5" / "Landmarks" / "Directions" / "000001.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(100))
    with pytest.raises(FormatError, match=r"000001.mat: not a readable .mat file"):
        load_human36m(tmp_path, HUMAN36M)
    path.unlink()
    with pytest.raises(InputError, match=r"S5/Landmarks/Directions/000001.mat: no such file"):
        load_human36m(tmp_path, HUMAN36M)


def test_bbc_pose_in_squares_and_half_size_pixels(tmp_path: Path) -> None:
    found = load_bbc_pose(write_bbc_pose(tmp_path), BBC_POSE)
    assert [found.images[index] for index in found.test] == [f"4/{number}.jpg" for number in (10, 20, 30, 40)]
    assert {found.images[index].partition("/")[0] for index in found.fit} == {"1", "2"}
    joints = bbc_joints(4, 10).T
    index = found.test[:1]
    assert found.to_file_px(found.landmarks_px[index], index)[0] == pytest.approx(joints)  # the file counts from 1
    assert found.sizes[index].tolist() == [[300, 300]]
    assert found.image(int(index[0])).shape == (300, 300, 3)
    placed = place(found, BBC_POSE, BBC_POSE.headline)
    # 12 pixels of the file are 6 of the frames of half size: just within; 13 are not.
    for pixels, share in ((12.0, 100.0), (13.0, 0.0)):
        errors = placed.measure(placed.test + [pixels / 2, 0]).errors
        assert errors == pytest.approx(np.full((4, 7), pixels / 2))
        assert 100 * (errors <= BBC_POSE.within + 1e-9).mean() == share


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("type", "other", r"bbcpose.mat, video 4: type 'other'; expected train, val or test"),
        ("test_joints", np.zeros((2, 7, 3)), r"video 4: test_joints of \(2, 7, 3\); expected \(2, 7, 4\)"),
        ("test_joints", np.full((2, 7, 4), np.nan), r"video 4, frame 10: a joint is not finite"),
        ("test_joints", np.full((2, 7, 4), 5000.0), r"video 4, frame 10: head at x 4999, y 4999, but the image is 400x320"),
        ("test_frames", np.array([[10.0, 20, 20, 40]]), r"video 4, frame 20: 4/20.jpg is already at .*frame 20"),
        ("test_frames", np.array([[10.0, 20, 33, 40]]), r"1 listed images are missing, the first is 4/33.jpg"),
    ],
)
def test_faults_of_bbc_pose_are_named_by_video_and_frame(tmp_path: Path, field: str, value: object, message: str) -> None:
    path = write_bbc_pose(tmp_path) / "code" / "bbcpose.mat"
    videos = loadmat(path)["bbcpose"]
    videos[0, 3][field] = value
    savemat(path, {"bbcpose": videos})
    with pytest.raises(KpdetectError, match=message):
        load_bbc_pose(tmp_path, BBC_POSE)


def test_deepfashion_within_six_pixels_of_256(tmp_path: Path) -> None:
    found = load_deepfashion(write_deepfashion(tmp_path, size=(128, 100)), DEEPFASHION)
    assert (len(found.fit), len(found.test)) == (6, 3)
    assert found.landmarks_px[1, 0] == pytest.approx([(81.25 + 0.5) * 100 / 256 - 0.5, (20 + 0.5) / 2 - 0.5])
    placed = place(found, DEEPFASHION, DEEPFASHION.headline)
    assert placed.test[0, 0] == pytest.approx([80.75, 20.5])
    assert placed.measure(placed.test + [0, 5.5]).errors == pytest.approx(np.full((3, 17), 5.5))
    assert DEEPFASHION.within == 6


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("data_train.csv", "id,filename", "id,name", r"data_train.csv, line 1: no column filename"),
        ("data_train.csv", "102,", "", r"data_train.csv, line 4: 1 values for 2 columns"),
        ("data_train.csv", "/02_1_front", "/01_1_front", r"data_train.json, entry 2: .*02_1_front.jpg, but the table has"),
        ("data_train.json", '"nose"', '"tail"', r"data_train.json, entry 0: joints tail, left_eye"),
        ("data_train.json", "20.0", "NaN", r"data_train.json, entry 0: keypoints of \(17, 2\); expected 17 finite pairs"),
        ("data_train.json", "20.0", "2000.0", r"data_train.csv, line 2: nose at x 80.25, y 2000, but the image is 256x256"),
        ("data_train.json", '"keypoints"', '"points"', r"data_train.json, entry 0: incomplete \(KeyError\('keypoints'\)\)"),
        ("data_train.json", "[", "", r"data_train.json: not valid JSON"),
    ],
)
def test_faults_of_deepfashion_are_named(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    replace(write_deepfashion(tmp_path) / file, old, new)
    with pytest.raises(KpdetectError, match=message):
        load_deepfashion(tmp_path, DEEPFASHION)


def test_deepfashion_lists_that_do_not_belong_together(tmp_path: Path) -> None:
    path = write_deepfashion(tmp_path) / "data_test.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:-1]))
    with pytest.raises(FormatError, match=r"data_test.json: 2 entries for 3 lines of data_test.csv"):
        load_deepfashion(tmp_path, DEEPFASHION)
