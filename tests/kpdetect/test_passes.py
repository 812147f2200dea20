"""Second looks and mirror images: where they look, and that they bring what they promise."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kpdetect.coords import apply_affine, invert_affine, to_normalised, to_pixels
from kpdetect.detector.held_out import keypoint_layout
from kpdetect.detector.network import Detector
from kpdetect.errors import CheckpointError
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.labels import Labels
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.second_pass import MIN_BOX, UNKNOWN_MARGIN, Layout, border, framed_box, keypoint_box, second_box
from kpdetect.inference.test_time_averaging import Passes, match_mirror, scaled_box
from kpdetect.training import model_description
from kpdetect.training.model_description import DetectorDescription
from tests.builders.descriptions import detector_description
from tests.builders.dots import dots, perfect
from tests.builders.runtimes import CPU


def seen(size, side=100, crop="pad", box=None):
    """What a first look sees of a picture of this size."""
    return perfect(crop, side=side).fit(np.zeros((*size, 3), np.uint8), box)


def test_the_box_of_a_border_by_hand():
    points_px = np.array([[20.0, 40.0], [60.0, 50.0], [30.0, 60.0]], np.float32)
    picture = seen((150, 200))
    # 40 x 20 around the pixel centre (40, 50), which is 40.5, 50.5 from the edges; a border of 0.25 * 40 everywhere
    assert keypoint_box(picture.edges, points_px, 0.25) == (10.5, 30.5, 60.0, 40.0)
    outside = np.concatenate([points_px, [[190.0, 10.0]]]).astype(np.float32)
    for sure, expected in (([1, 0.3, 0.5, 0.29], (10.5, 30.5, 60.0, 40.0)), ([1, 0.3, 0.1, 0.1], (-22.0, -32.0, 255.0, 135.0))):
        box = second_box(picture, outside, np.array(sure, np.float32), 0.25, None)  # two sure ones are too few
        assert box == pytest.approx(expected)
    same = np.full((3, 2), 50, np.float32)
    assert keypoint_box(picture.edges, same, 0.0)[2:] == pytest.approx((MIN_BOX * 200, MIN_BOX * 200))
    within = seen((150, 200), box=(30.0, 30.0, 40.0, 40.0))  # of what was seen, not of the picture
    assert keypoint_box(within.edges, same, 0.0)[2:] == pytest.approx((MIN_BOX * 40, MIN_BOX * 40))


BEFORE = np.array([[-0.3, 0.0], [0.3, 0.0], [0.0, 0.3]])


def layout(places):
    """Of images in which keypoints lay nowhere else."""
    places = np.asarray(places, dtype=float)
    return Layout(places=places, distances=np.linalg.norm(places[:, None] - places[None], axis=-1))


def described(places):
    return {name: getattr(layout(places), name).tolist() for name in ("places", "distances")}


@pytest.mark.parametrize("crop", ["pad", "stretch", "centre"])
@pytest.mark.parametrize("box", [None, (30.0, 40.0, 60.0, 60.0)])
def test_a_second_look_is_framed_as_training_images_were(crop, box):
    """An object half as large as in training and away from the middle is then where it was, as large as it was."""
    first = seen((150, 200), 100, crop, box)
    shown = BEFORE * 0.5 + [0.2, -0.1]
    points_px = apply_affine(invert_affine(first.matrix), to_pixels(shown, (100, 100)))
    predictor = perfect(crop, side=100)
    closer = predictor.fit(np.zeros((150, 200, 3), np.uint8), framed_box(first.edges, points_px, layout(BEFORE)))
    found = to_normalised(apply_affine(closer.matrix, points_px), (100, 100))
    np.testing.assert_allclose(found, BEFORE, atol=1e-4)


def test_a_frame_has_limits():
    first, sure = seen((100, 100)), np.ones(3, np.float32)
    together = np.full((3, 2), 59.5)  # at (0.2, 0.2)
    assert framed_box(first.edges, together, layout(BEFORE)) == pytest.approx((55, 54.5, 10, 10))  # 0.1 of the first look
    far = np.array([[0.0, 0.0], [99.0, 0.0], [50.0, 99.0]])
    assert framed_box(first.edges, far, layout(BEFORE * 0.3))[2:] == pytest.approx((150, 150))
    assert framed_box(first.edges, together[:1], layout([[0.1, 0.0]])) == pytest.approx((5, 10, 100, 100))  # one tells no size
    beside = seen((100, 100), box=(-90.0, 0.0, 100.0, 100.0))  # keypoints in what was filled count to the picture's edge
    left, _, width, _ = second_box(beside, together.astype(np.float32) - [100, 0], sure, None, layout(BEFORE))
    assert (left, width) == pytest.approx((-5.5, 10), abs=1)


def test_the_size_in_training_is_that_of_single_images():
    """Of objects that turn all the way round the mean places coincide; an object of the same size needs no other look."""
    angles = torch.arange(0, 2 * math.pi, math.pi / 8)
    turns = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], dim=1).view(-1, 2, 2)
    turned = torch.tensor(BEFORE).float() @ turns.transpose(1, 2)
    told = keypoint_layout(turned)
    assert np.abs(told["places"]).max() < 1e-4
    known = Layout.read(detector_description(keypoints=3, pair_size=[9, 9], crop="pad", keypoint_layout=told))
    assert known is not None
    middle = BEFORE - BEFORE.mean(axis=0)
    assert known.spread == pytest.approx(np.sqrt((middle**2).sum(axis=1).mean()), abs=1e-4)
    first = seen((100, 100))
    points_px = apply_affine(invert_affine(first.matrix), to_pixels(turned[3].double().numpy(), (100, 100)))
    assert framed_box(first.edges, points_px, known)[2:] == pytest.approx((100, 100), abs=0.1)
    assert known.of(np.array([0, 1])).spread == pytest.approx(0.3, abs=1e-4)


def test_a_trusted_cluster_does_not_decide_alone():
    places = np.array([[-0.5, 0.0], [-0.5, 0.1], [-0.45, 0.05], [0.5, 0.0], [0.4, 0.5]])
    first, sure = seen((100, 100)), np.array([1, 1, 1, 0.1, 0.1], np.float32)
    points_px = to_pixels(places * 0.5, (100, 100)).astype(np.float32)
    assert second_box(first, points_px, sure, None, layout(places))[2:] == pytest.approx((50, 50), abs=0.5)


@pytest.mark.parametrize(
    "told", [{"places": [[0, 0]]}, {"places": [[0, 0]], "distances": [[0]]}, {"places": "here", "distances": [[0]]}, 3]
)
def test_a_damaged_layout_is_named(told):
    known = detector_description(keypoints=2, pair_size=[9, 9], crop="pad")
    text = json.dumps({**known.content, "keypoint_layout": told})
    with pytest.raises(CheckpointError, match="weights: .*keypoint_layout"):
        model_description.described(DetectorDescription, text, Path("weights"))


def test_what_a_border_is_by_default():
    common = {"keypoints": 3, "pair_size": [9, 9], "crop": "pad"}
    knowing, plain = detector_description(**common, keypoint_layout=described(BEFORE)), detector_description(**common)
    assert border(PredictConfig(two_pass=True), plain) == UNKNOWN_MARGIN
    assert border(PredictConfig(two_pass=True), knowing) is None
    assert border(PredictConfig(), knowing) == UNKNOWN_MARGIN  # as records say that were made before
    assert border(PredictConfig(two_pass=True, margin=0), knowing) == 0


def test_dropped_keypoints_do_not_count_for_the_frame():
    predictor = sided(Labels(drop=(1,)), keypoint_layout=described([[-0.5, 0.0], [9.0, 9.0], [0.5, 0.0]]))
    image, asked = dots(120, 120, (29.5, 59.5), (100, 20), (59.5, 59.5)), []

    def refit(boxes):
        asked.extend(box for (box,) in boxes)
        return [predictor.fit_parts(image, own) for own in boxes]

    Passes(predictor, PredictConfig(two_pass=True))([predictor.fit(image)], refit)
    # half as far apart as in training; `Sided` sees all two pixels too far right: the middle is at x = 47, edges 0 to 120
    assert asked == [(pytest.approx(17, abs=1), pytest.approx(30, abs=1), pytest.approx(60, abs=1), pytest.approx(60, abs=1))]


@pytest.mark.parametrize("crop", ["pad", "stretch"])
def test_a_second_look_is_sharper(crop):
    """On a large picture the square of 32 px is too coarse for small dots; the crop around them is not."""
    image = np.zeros((300, 420, 3), np.uint8)
    image[150:250, 200:320] = dots(100, 120, (40.3, 50.8), (80.6, 30.2))
    true_px = np.array([[240.3, 200.8], [280.6, 180.2]])
    predictor = perfect(crop, side=32)
    off = {}
    for two_pass in (False, True):
        passes = Passes(predictor, PredictConfig(two_pass=two_pass, margin=0.5))
        found_px, _ = passes([predictor.fit(image)], lambda boxes: [predictor.fit_parts(image, own) for own in boxes])
        off[two_pass] = np.abs(found_px[0] - true_px).max()
    assert off[True] < 1.0  # a square of 32 px shows 2.5 px as one
    assert off[True] < 0.5 * off[False]


class Sided(nn.Module):
    """Finds the red dot as keypoint 0 if it is the left one, as 1 if it is the right one; green likewise; blue is 2.

    It sees everything two pixels too far to the right, which averaging with the mirror image must cancel.
    """

    def forward(self, images):
        shifted = torch.roll(images, 2, dims=-1)
        width = images.shape[-1]
        both = torch.maximum(shifted[:, 0], shifted[:, 1])
        left, right = both.clone(), both.clone()
        left[..., width // 2 :], right[..., : width // 2] = -1, -1
        return [30 * torch.stack([left, right, shifted[:, 2]], dim=1)]


def sided(labels=None, **known):
    description = detector_description(keypoints=3, pair_size=[120, 120], crop="stretch", **known)
    return Predictor(Detector(Sided(), nn.Identity(), 120), description, "0" * 16, CPU, labels)


def scenes(count):
    source = np.random.default_rng(3)
    for _ in range(count):
        places = [(source.uniform(15, 40), source.uniform(30, 90)), (source.uniform(80, 105), source.uniform(30, 90))]
        middle = (source.uniform(56, 64), source.uniform(30, 90))
        yield np.array([*places, middle]), dots(120, 120, *places, middle)


@pytest.mark.parametrize("labels", [None, Labels(pairs=((0, 1),)), Labels(pairs=((0, 1),), drop=(2,))])
def test_averaging_with_the_mirror_image_cancels_a_one_sided_error(labels):
    predictor, true_px = sided(labels), np.array([places for places, _ in scenes(40)])
    fitted = [predictor.fit(image) for _, image in scenes(40)]
    plain, averaged = (Passes(predictor, PredictConfig(flip_average=flip)) for flip in (False, True))
    assert (plain.wants_sample, averaged.wants_sample) == (False, True)
    averaged.learn(fitted)
    assert averaged.mirror.tolist() == [1, 0, 2]
    kept = len(predictor.skeleton.numbers)
    off_px = [(passes(fitted, list)[0] - true_px[:, :kept])[..., 0].mean() for passes in (plain, averaged)]
    assert off_px[0] == pytest.approx(2.0, abs=0.2)
    assert off_px[1] == pytest.approx(0.0, abs=0.2)


def test_partners_in_a_mirror_image_are_found_and_the_unfaithful_left_alone():
    source = np.random.default_rng(1)
    keypoints = source.uniform(-1, 1, (50, 5, 2))
    unmirrored = keypoints[:, [1, 0, 2, 4, 3]] + source.normal(0, 0.02, (50, 5, 2))
    assert match_mirror(keypoints, unmirrored).tolist() == [1, 0, 2, 4, 3]
    unmirrored[:, 2] = source.uniform(-1, 1, (50, 2))  # found anywhere in the mirror image
    assert match_mirror(keypoints, unmirrored).tolist() == [1, 0, -1, 4, 3]
    # what is known stands, and those that lose their partner to it are left alone
    assert match_mirror(keypoints, unmirrored, [(2, 3)]).tolist() == [1, 0, 3, 2, -1]


def test_what_has_no_partner_is_not_averaged():
    predictor = sided()
    places, image = next(scenes(1))
    fitted = [predictor.fit(image)]
    alone, _ = predictor.predict_fitted(fitted)
    found, _ = predictor.predict_fitted(fitted, np.array([1, 0, -1]))
    np.testing.assert_allclose(found[0, 2], alone[0, 2], atol=1e-4)
    np.testing.assert_allclose(found[0, :2], places[:2], atol=0.5)


def test_the_box_of_another_scale_by_hand():
    predictor = perfect("pad", side=32)
    picture = predictor.fit(np.zeros((100, 200, 3), np.uint8), (40.0, 10.0, 80.0, 80.0))
    assert scaled_box(picture, 1.0) == pytest.approx((40, 10, 80, 80))
    assert scaled_box(picture, 0.5) == pytest.approx((60, 30, 40, 40))
    whole = perfect("stretch", side=32).fit(np.zeros((100, 200, 3), np.uint8))
    assert scaled_box(whole, 1.5) == pytest.approx((-50, -25, 300, 150))


def test_scales_are_averaged_where_the_first_look_is_off():
    """Dots on a square of 32 px are found a few pixels off, differently at every scale; half the size is sharper."""
    image = np.zeros((120, 160, 3), np.uint8)
    image[:] = dots(120, 160, (70.3, 50.8), (90.6, 70.2))
    predictor = perfect("stretch", side=32)
    found = {}
    for scales in ((1.0,), (0.5,), (1.0, 0.5)):
        passes = Passes(predictor, PredictConfig(scales=scales))
        found[scales] = passes([predictor.fit(image)], lambda boxes: [predictor.fit_parts(image, own) for own in boxes])
    for index in range(2):
        mean = (found[1.0,][index] + found[0.5,][index]) / 2
        np.testing.assert_allclose(found[1.0, 0.5][index], mean, rtol=1e-5)
    true_px = np.array([[70.3, 50.8], [90.6, 70.2]])
    assert np.abs(found[0.5,][0][0] - true_px).max() < 0.6 * np.abs(found[1.0,][0][0] - true_px).max()


@pytest.mark.parametrize("scales", [(), (0.1,), (1.0, 3.0), (float("nan"),)])
def test_scales_out_of_range_are_refused(scales):
    with pytest.raises(ValueError, match=r"0\.25 to 2|finite number"):
        PredictConfig(scales=scales)


def test_all_scales_of_a_picture_are_cut_in_one_call():
    image, predictor, calls = np.full((60, 80, 3), 9, np.uint8), perfect("stretch", side=32), []

    def refit(boxes):
        calls.append([len(own) for own in boxes])
        return [predictor.fit_parts(image, own) for own in boxes]

    pictures = [predictor.fit(image)] * 2
    for scales, two_pass in (((1.0,), False), ((0.9, 1.0, 0.8), False), ((1.0, 0.9, 0.8), True)):
        Passes(predictor, PredictConfig(scales=scales, two_pass=two_pass))(pictures, refit)
    assert calls == [[2, 2], [1, 1], [2, 2]]  # a picture is decoded anew in every call
