"""Predictions: original pixels under every crop policy, and files that are either right or refused."""

import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import nn

import kpdetect
from kpdetect.detector.network import Detector
from kpdetect.errors import CheckpointError, FormatError, InputError
from kpdetect.images.image_files import CROP_POLICIES, write_image
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.predictions import COLUMNS, Predictions
from kpdetect.inference.predictor import BATCH, Predictor
from kpdetect.training.checkpoints import read_description, save_weights
from tests.builders.descriptions import detector_description
from tests.builders.runtimes import CPU

PLACES_PX = np.array([[61.0, 40.0], [48.0, 63.0]])
"""(x, y) of the red and the green dot; inside the centred square of both shapes below."""


class Brightness(nn.Module):
    """A perfect detector of coloured dots: the logits are the red and the green channel."""

    def forward(self, images):
        return [30 * images[:, :2]]


def picture(height, width):
    """Black, with one soft red and one soft green dot at `PLACES_PX`."""
    y, x = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3))
    for channel, (x_px, y_px) in enumerate(PLACES_PX):
        image[..., channel] = 255 * np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * 4.0**2))
    return image.round().astype(np.uint8)


def perfect(crop, side=128):
    description = detector_description(keypoints=2, pair_size=[side, side], crop=crop)
    return Predictor(Detector(Brightness(), nn.Identity(), side), description, "0" * 16, CPU)


@pytest.mark.parametrize("crop", CROP_POLICIES)
@pytest.mark.parametrize("size", [(100, 118), (122, 100)])
def test_keypoints_are_in_the_pixels_of_the_original(crop, size):
    keypoints_px, confidence = perfect(crop)(picture(*size))
    assert keypoints_px.shape == (2, 2)
    assert keypoints_px.dtype == np.float32
    assert np.abs(keypoints_px - PLACES_PX).max() < 0.1  # half a pixel of the square is at least 0.39 of the original's
    assert (confidence > 0.9).all()


@pytest.mark.parametrize("size", [(60, 118), (122, 60)])
def test_pad_and_stretch_see_what_the_centred_square_leaves_out(size):
    height, width = size
    place_px = np.array([12.0, 31.0]) if width > height else np.array([31.0, 12.0])
    y, x = np.mgrid[:height, :width]
    value = 255 * np.exp(-((x - place_px[0]) ** 2 + (y - place_px[1]) ** 2) / (2 * 4.0**2))
    image = np.stack([value, value, 0 * value], axis=-1).round().astype(np.uint8)
    off_px = {crop: np.abs(perfect(crop)(image)[0] - place_px).max() for crop in CROP_POLICIES}
    assert off_px["pad"] < 0.1
    assert off_px["stretch"] < 0.1
    assert off_px["centre"] > 5


def test_a_list_gives_what_its_images_give_alone(tmp_path):
    images = [picture(100, 118), picture(122, 100), picture(110, 110)]
    write_image(tmp_path / "first.png", images[0])
    predictor = perfect("pad")
    keypoints_px, confidence = predictor([tmp_path / "first.png", str(tmp_path / "first.png"), *images] * (BATCH // 4))
    assert keypoints_px.shape == (5 * (BATCH // 4), 2, 2)  # more than one batch
    for row, image in zip((0, 1, 2, 3, 4), (images[0], images[0], *images), strict=True):
        alone_px, sure = predictor(image)
        np.testing.assert_allclose(keypoints_px[row], alone_px, atol=1e-3)
        np.testing.assert_allclose(confidence[row], sure, atol=1e-5)
    assert [part.shape for part in predictor([])] == [(0, 2, 2), (0, 2)]


@pytest.mark.parametrize("image", [np.zeros((8, 9), np.uint8), np.zeros((8, 9, 3)), np.zeros((8, 9, 4), np.uint8), 3.0])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(InputError, match="expected uint8 RGB"):
        perfect("pad")([image])


def test_a_batch_is_an_array_and_a_grey_array_is_one_image_that_is_refused():
    predictor, images = perfect("pad"), np.stack([picture(100, 118), picture(100, 118)[:, ::-1]])
    for found, expected in zip(predictor(images), predictor(list(images)), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match=r"got uint8 \[5, 7\], expected"):
        predictor(np.zeros((5, 7), np.uint8))


WRONG = [
    (np.zeros((8, 9, 3)), r"got float64 \[8, 9, 3\], expected uint8 RGB .* \* 255"),
    (np.zeros((8, 9, 3), bool), "got bool .*astype"),
    (np.zeros((8, 9, 4), np.uint8), r"got uint8 \[8, 9, 4\].*leave alpha out"),
    (np.zeros((8, 9), np.uint8), r"got uint8 \[8, 9\].*np.repeat"),
    (np.zeros((0, 5, 3), np.uint8), r"got uint8 \[0, 5, 3\].*no pixels"),
    (np.zeros((5, 0, 3), np.uint8), r"got uint8 \[5, 0, 3\].*no pixels"),
    (np.zeros((8, 9, 3), object), r"got object \[8, 9, 3\].*astype"),
    (Pillow.new("RGB", (9, 8)), r"got Image, .*np.asarray\(image.convert\('RGB'\)\)"),
    (None, "got NoneType, expected uint8 RGB .*path"),
]


@pytest.mark.parametrize(("image", "message"), WRONG)
def test_every_door_refuses_what_is_no_picture_in_the_same_words(image, message):
    predictor = perfect("pad")
    for call in (predictor, predictor.fit, lambda item: predictor([item]), lambda item: predictor.predict_batch([item])):
        with pytest.raises(InputError, match=message) as refused:
            call(image)
        assert "\n" not in str(refused.value)


def test_an_array_of_objects_is_to_be_a_list():
    images = np.empty(2, object)
    images[:] = [picture(100, 118), picture(122, 100)]
    with pytest.raises(InputError, match=r"got object \[2\].*as a list"):
        perfect("pad")(images)


def test_no_images_give_no_keypoints():
    predictor = perfect("pad")
    none = np.empty((0, 128, 128, 3), np.uint8)
    for found in (predictor([]), predictor.predict_batch([]), predictor.predict_fitted([]), predictor.read_squares(none)):
        assert [part.shape for part in found] == [(0, 2, 2), (0, 2)]


@pytest.mark.parametrize(
    "box", [(0, 0, -5, 10), (0, 0, 10, 0), (0, 0, 0.3, 10), (0, np.nan, 5, 5), (0, 0, np.inf, 5), (1, 2, 3)]
)
def test_a_box_without_extent_is_refused(box):
    with pytest.raises(InputError, match=r"box \(.*\): expected \(left, top, width, height\)"):
        perfect("pad").fit(picture(100, 118), box)
    assert perfect("pad").fit(picture(100, 118), (-3, 4, 1, 1)).square.shape == (128, 128, 3)


@pytest.mark.parametrize(
    "squares", [np.zeros((1, 128, 128, 3)), np.zeros((128, 128, 3), np.uint8), np.zeros((1, 128, 64, 3), np.uint8), [1]]
)
def test_squares_of_another_kind_are_refused(squares):
    with pytest.raises(InputError, match=r"squares: got .*, expected uint8 RGB \[count, 128, 128, 3\]"):
        perfect("pad").read_squares(squares)


EXAMPLE = Predictions(
    images=["sub/NA.png", 'with, comma "and" quotes.png', "NA"],
    keypoints_px=np.array([[[1.25, 2.5], [-3.0, 4.125]], [[5.0, 6.0], [7.0, 8.0]], [[0.5, 0.25], [9.0, 1.0]]], np.float32),
    confidence=np.array([[0.5, 0.25], [1.0, 0.0], [0.125, 0.75]], np.float32),
    sizes=np.array([[100, 118], [7, 9], [122, 100]]),
)


def test_files_hold_what_was_written(tmp_path):
    EXAMPLE.write(tmp_path, {"model": "abc"})
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    assert lines[0] == "image,keypoint,x_px,y_px,confidence"
    assert lines[2] == "sub/NA.png,1,-3.0,4.125,0.25"
    assert len(lines) == 7
    assert json.loads((tmp_path / "predictions.json").read_text())["model"] == "abc"
    again = Predictions.read(tmp_path)
    assert again.images == EXAMPLE.images
    for name in ("keypoints_px", "confidence", "sizes"):
        np.testing.assert_array_equal(getattr(again, name), getattr(EXAMPLE, name))
    assert again.keypoints_px.dtype == np.float32


def test_folders_can_be_given_as_text(tmp_path):
    EXAMPLE.write(str(tmp_path / "text"), {})
    EXAMPLE.write(tmp_path / "path", {})
    assert (tmp_path / "text" / "predictions.csv").read_bytes() == (tmp_path / "path" / "predictions.csv").read_bytes()
    assert Predictions.read(str(tmp_path / "text")).images == EXAMPLE.images
    assert [block.images for block in Predictions.read_blocks(str(tmp_path / "text"))] == [EXAMPLE.images]


def reordered(lines):
    return [lines[0], *lines[3:], *lines[1:3]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (reordered, "rows are not in the order"),
        (lambda lines: lines[:-1], "and 5 rows, expected"),
        (lambda lines: [lines[0].replace("x_px", "x"), *lines[1:]], "got columns image, keypoint, x, y_px"),
        (lambda lines: [*lines[:-1], lines[-1].replace("9.0", "nine")], "a value is not a number"),
        (lambda lines: [], "not a table of predictions"),
    ],
)  # fmt: skip
def test_a_changed_table_is_refused(tmp_path, change, reason):
    EXAMPLE.write(tmp_path, {})
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(FormatError, match=reason):
        Predictions.read(tmp_path)


def test_a_foreign_record_and_a_missing_table_are_refused(tmp_path):
    EXAMPLE.write(tmp_path, {})
    (tmp_path / "predictions.json").write_text('{"other": 1}')
    with pytest.raises(FormatError, match=r"record of predictions"):
        Predictions.read(tmp_path)
    EXAMPLE.write(tmp_path, {})
    (tmp_path / "predictions.csv").unlink()
    with pytest.raises(InputError, match="no such file"):
        Predictions.read(tmp_path)


def test_project_run_folder_and_weights_are_the_same_detector(small_project):
    image = picture(70, 90)
    answers = [kpdetect.load(path, device="cpu")(image) for path in (
        small_project, small_project / "detector", small_project / "detector" / "model.safetensors"
    )]  # fmt: skip
    assert answers[0][0].shape == (3, 2)
    for keypoints_px, confidence in answers[1:]:
        np.testing.assert_array_equal(keypoints_px, answers[0][0])
        np.testing.assert_array_equal(confidence, answers[0][1])
    with pytest.raises(CheckpointError, match="no trained detector here"):
        kpdetect.load(small_project.parent)


def test_weights_of_another_network_are_refused(small_project):
    path = small_project / "detector" / "model.safetensors"
    description = read_description(path)
    save_weights(path, "detector", {"conv.weight": torch.zeros(1)}, description)
    with pytest.raises(CheckpointError, match="do not fit the network that their description names") as caught:
        kpdetect.load(small_project)
    assert "\n" not in str(caught.value)


def test_weights_of_another_version_and_incomplete_ones_are_refused(small_project):
    path = small_project / "detector" / "model.safetensors"
    description = read_description(path)
    save_weights(path, "detector", {}, {**description, "version": 2})
    with pytest.raises(CheckpointError, match="holds a detector of version 2, expected a detector of version 1; give another"):
        kpdetect.load(small_project)
    del description["pair_size"]
    save_weights(path, "detector", {}, description)
    with pytest.raises(CheckpointError, match="the description lacks pair_size"):
        kpdetect.load(small_project)


@pytest.mark.slow
def test_a_folder_is_predicted_in_order_and_unreadable_files_are_listed(small_project, tmp_path):
    source = tmp_path / "images"
    for number, size in enumerate([(40, 30), (50, 60)]):
        write_image(source / "sub" / f"{number}.png", picture(*size))
    (source / "broken.jpg").write_text("no picture")
    predictions = predict_folder(small_project, source, tmp_path / "out", device="cpu", overlays=-1).predictions
    assert predictions.images == ["sub/0.png", "sub/1.png"]
    assert predictions.sizes.tolist() == [[40, 30], [50, 60]]
    alone_px, _ = kpdetect.load(small_project, device="cpu")(source / "sub" / "1.png")
    np.testing.assert_allclose(predictions.keypoints_px[1], alone_px, atol=1e-3)
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert list(record["skipped"]) == ["broken.jpg"]
    assert record["crop"] == "stretch"
    overlays = sorted((tmp_path / "out" / "overlays").rglob("*.png"))
    assert [path.name for path in overlays] == ["0.png", "1.png"]
    assert cv2.imread(str(overlays[0])).shape == (200, 150, 3)  # the shorter side reaches 128 at five times its size
    with pytest.raises(InputError, match=r"broken\.jpg"):
        predict_folder(small_project, source, tmp_path / "strict", device="cpu", strict=True)
    assert list(Predictions.read(tmp_path / "out").to_pandas().columns) == COLUMNS
