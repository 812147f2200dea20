"""Squares about the keypoints found in images, and what is cut by them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from kpdetect.cli.main import app
from kpdetect.errors import CheckpointError, InputError
from kpdetect.images.image_files import read_image, write_image
from kpdetect.inference.boxes import found_boxes, read_boxes, write_boxes
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton
from kpdetect.training.checkpoints import load_weights, save_weights


@pytest.fixture
def found(tmp_path):
    """Two images of 100x60 pixels (width x height) with keypoints 0, 2 and 3 of a model of four."""
    points = np.array([[[20, 10], [40, 10], [30, 50]], [[20, 10], [80, 20], [120, 30]]], np.float32)
    confidence = np.array([[0.9, 0.9, 0.3], [0.2, 0.2, 0.2]], np.float32)
    skeleton = Skeleton(numbers=(0, 2, 3), names=("keypoint0", "keypoint2", "keypoint3"), links=(), pairs=())
    folder = tmp_path / "found"
    folder.mkdir()
    Predictions(
        images=["a.png", "sub/b.png"],
        keypoints_px=points,
        confidence=confidence,
        sizes=np.array([[60, 100], [60, 100]]),
        skeleton=skeleton,
    ).write(folder, {})
    return folder


def test_a_square_with_a_border(found):
    boxes, total = found_boxes(found, margin=0.25)
    assert total == 2
    # x 20 to 40, y 10 to 50; 40 long, so 10 on every side: 40 wide and 60 high, and a square about the same middle
    assert boxes["a.png"] == pytest.approx((0.5, 0.5, 60, 60))
    # x 20 to the edge at 99.5, which 120 counts to; 79.5 wide, so 119.25 with the border
    assert boxes["sub/b.png"] == pytest.approx((0.625, -39.125, 119.25, 119.25))
    only, _ = found_boxes(found, margin=0.5, keypoints=[0, 2])
    assert only["a.png"] == pytest.approx((10.5, -9.5, 40, 40))  # x 20 to 40 with 10 on either side, y about 10
    sure, total = found_boxes(found, margin=0.5, keypoints=[0, 2], min_confidence=0.5)
    assert (list(sure), total) == (["a.png"], 2)


def test_framed_as_in_training(found, small_project):
    weights = small_project / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    with pytest.raises(InputError, match="there is no keypoint_layout; give a copy made by `kpdetect calibrate`"):
        found_boxes(found, like=small_project)
    places = [[-0.2, 0.0], [9.0, 9.0], [0.2, 0.0], [0.0, 0.8]]
    distances = np.linalg.norm(np.array(places)[:, None] - np.array(places), axis=-1).tolist()
    layout = {"places": places, "distances": distances}
    save_weights(weights, "detector", tensors, {**description, "keypoints": 4, "keypoint_layout": layout})
    boxes, _ = found_boxes(found, like=small_project)
    # 20 px were 0.4 of two units: 100 px; the first lies at a share of 0.4 and 0.5
    assert boxes["a.png"] == pytest.approx((20.5 - 40, 10.5 - 50, 100, 100))
    save_weights(
        weights, "detector", tensors, {**description, "keypoint_layout": {"places": [[0, 0]] * 3, "distances": [[0] * 3] * 3}}
    )
    with pytest.raises(InputError, match="has 3 keypoints, .* has 4; give a detector of the same keypoints"):
        found_boxes(found, like=small_project)


def test_detectors_of_other_keypoints_and_generators_frame_nothing(found, small_project, tmp_path):
    record = json.loads((found / "predictions.json").read_text())
    (found / "predictions.json").write_text(json.dumps(record | {"description": {"keypoints": 4}}))
    with pytest.raises(InputError, match="has 10 keypoints, .* has 4; give"):
        found_boxes(found, like=Path("toy-32"))
    (found / "predictions.json").write_text(json.dumps(record | {"description": {"keypoints": 10}}))
    assert len(found_boxes(found, like=Path("toy-32"))[0]) == 2
    with pytest.raises(InputError, match="these keypoints are too close together to tell the size"):
        found_boxes(found, like=Path("toy-32"), keypoints=[2])
    save_weights(tmp_path / "generator.safetensors", "generator", {}, {})
    with pytest.raises(CheckpointError, match="holds a generator of version 1, expected a detector"):
        found_boxes(found, like=tmp_path / "generator.safetensors")


def test_a_small_object_in_a_large_picture(tmp_path):
    points = np.array([[[2000, 1000], [2080, 1000], [2000, 1060]]], np.float32)
    facts = {"images": ["a.png"], "confidence": np.ones((1, 3), np.float32), "sizes": np.array([[3000, 4000]])}
    Predictions(keypoints_px=points, **facts).write(tmp_path, {})
    assert found_boxes(tmp_path, margin=0.3)[0]["a.png"] == pytest.approx((1976.5, 966.5, 128, 128))
    Predictions(keypoints_px=points[:, [0, 0, 0]], **facts).write(tmp_path, {})
    assert found_boxes(tmp_path, margin=0.5)[0]["a.png"] == pytest.approx((1998.5, 998.5, 4, 4))  # never empty


def test_what_makes_no_boxes_is_refused(found):
    with pytest.raises(InputError, match="there is no keypoint 1; expected some of 0, 2, 3"):
        found_boxes(found, margin=0.5, keypoints=[1])
    with pytest.raises(InputError, match="no image reaches `min_confidence=0.95`; the highest mean confidence is 0.70"):
        found_boxes(found, margin=0.5, min_confidence=0.95)
    with pytest.raises(InputError, match="expected a number such as 0.3"):
        found_boxes(found, margin=float("inf"))
    with pytest.raises(InputError, match="a.png: its box is over 4 times as large as the image"):
        found_boxes(found, margin=6)
    with pytest.raises(InputError, match=r"predictions.csv.predictions.json: no such file"):
        found_boxes(found / "predictions.csv", margin=1)


def test_videos_alone_make_no_boxes_and_what_to_do_is_said(found, tmp_path):
    (tmp_path / "alone").mkdir()
    found.rename(tmp_path / "videos")
    with pytest.raises(
        InputError, match=r": got predictions of videos only; expected predictions of images; extract frames .*ffmpeg"
    ):
        found_boxes(tmp_path, margin=1)
    facts = {"confidence": np.ones((1, 3), np.float32), "sizes": np.array([[60, 100]]), "frames": np.array([0]), "rate": 25.0}
    film = Predictions(images=["a/000000"], keypoints_px=np.ones((1, 3, 2), np.float32), **facts)
    film.write(tmp_path / "alone", {})
    with pytest.raises(InputError, match=r"alone: got predictions of a video; expected predictions of images; extract frames"):
        found_boxes(tmp_path / "alone", margin=1)


def test_crops_are_cut_by_the_table(found, tmp_path):
    image = np.zeros((60, 100, 3), np.uint8)
    image[10:51, 20:41] = 200
    for name in ("a.png", "sub/b.png"):
        write_image(tmp_path / "images" / name, image)
    out = tmp_path / "boxes.csv"
    given = ["boxes", str(found), "--margin", "0", "--keypoints", "0,2,3", "--min-confidence", "0.5", "--out", str(out)]
    assert CliRunner().invoke(app, given).output == f"boxes: 1 of 2 images in {out}\n"
    assert pd.read_csv(out).to_numpy().tolist() == [["a.png", 10.5, 10.5, 40.0, 40.0]]
    assert list(read_boxes(out, ["a.png"])) == ["a.png"]
    crops = ["crop", str(tmp_path / "images"), "--boxes", str(out), "--out", str(tmp_path / "crops")]
    assert CliRunner().invoke(app, crops).exit_code == 0
    cut = read_image(tmp_path / "crops" / "a.png")
    assert cut.shape == (40, 40, 3)
    assert cut[:, 11:30].min() == 200
    assert cut[:, :9].max() == 0
    write_boxes({"b.png": (0.123456, 1.0, 2.0, 3.0)}, out)
    assert out.read_text() == "image,left,top,width,height\nb.png,0.12,1.0,2.0,3.0\n"


@pytest.mark.parametrize(
    "given",
    [
        ["--margin", "0.5", "--like", "faces-64"],
        [],
        ["--margin", "0.5", "--keypoints", "nose"],
        ["--margin", "1", "--keypoints", ","],
    ],
)
def test_options_that_do_not_fit(found, tmp_path, given):
    ended = CliRunner().invoke(app, ["boxes", str(found), "--out", str(tmp_path / "boxes.csv"), *given])
    assert ended.exit_code == 2 or isinstance(ended.exception, InputError)
    assert not (tmp_path / "boxes.csv").exists()
