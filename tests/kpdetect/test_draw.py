"""Pictures of keypoints: where they are drawn, how strongly, and that their colours can be told apart."""

from itertools import combinations

import cv2
import numpy as np

from kpdetect.draw import MIN_OPACITY, draw_keypoints, draw_overlay, edge_colour, keypoint_colour
from kpdetect.skeleton import Skeleton

BLACK = np.zeros((140, 200, 3), np.uint8)


def lab(numbers):
    """CIELAB colours of keypoints."""
    rgb = np.array([[keypoint_colour(number) for number in numbers]], np.float32) / 255
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)[0]


def test_colours_can_be_told_apart():
    first = [np.linalg.norm(one - other) for one, other in combinations(lab(range(10)), 2)]
    assert min(first) > 35  # the earlier golden-ratio hues gave 9 between keypoints 1 and 9
    assert min(np.linalg.norm(one - other) for one, other in combinations(lab(range(20)), 2)) > 25
    assert min(np.linalg.norm(one - other) for one, other in combinations(lab(range(32)), 2)) > 25
    assert len({keypoint_colour(number) for number in range(64)}) == 64


def test_confidence_is_opacity_and_the_image_is_not_touched():
    image = np.full((140, 200, 3), 100, np.uint8)
    shown = draw_keypoints(image, np.array([[50.0, 20.0], [120.0, 90.0], [150.0, 30.0]]), np.array([1.0, 0.5, 0.0]))
    for (x, y), number, opacity in (((50, 20), 0, 1.0), ((120, 90), 1, 0.5), ((150, 30), 2, MIN_OPACITY)):
        expected = opacity * np.array(keypoint_colour(number)) + (1 - opacity) * 100
        np.testing.assert_allclose(shown[y, x], expected, atol=1)
    assert (image == 100).all()
    assert shown.shape == image.shape


def test_points_outside_and_missing_ones_are_left_out():
    points = np.array([[-5.0, 20.0], [np.nan, np.nan], [300.0, 20.0], [20.0, 139.4]])
    shown = draw_keypoints(BLACK, points)
    assert shown.any(axis=-1).sum() == draw_keypoints(BLACK, points[3:]).any(axis=-1).sum()
    assert (shown[139, 20] == keypoint_colour(3)).all()


def test_links_names_and_trails_are_drawn():
    points = np.array([[40.0, 20.0], [40.0, 100.0]])
    linked = Skeleton(numbers=(4, 7), names=("nose", "chin"), links=((0, 1),))
    shown = draw_keypoints(BLACK, points, skeleton=linked)
    assert (shown[60, 40] > 200).all()  # smooth lines are not quite white
    assert (shown[20, 40] == keypoint_colour(4)).all()
    named = draw_keypoints(BLACK, points, skeleton=linked, numbers=True)
    assert named.any(axis=-1).sum() > shown.any(axis=-1).sum()
    moved = draw_keypoints(BLACK, points + [60.0, 0.0], trails_px=[points])
    assert (moved[20, 70] > 0).any()
    assert not draw_keypoints(BLACK, points + [60.0, 0.0])[20, 70].any()


def test_links_have_a_dark_edge():
    points, linked = np.array([[40.0, 20.0], [40.0, 100.0]]), Skeleton(numbers=(0, 1), names=("a", "b"), links=((0, 1),))
    shown = draw_keypoints(np.full_like(BLACK, 255), points, skeleton=linked)
    assert (shown[60, 40] > 200).all()
    assert shown[60].min() < 60  # seen on white


def test_small_images_are_enlarged_no_further_than_asked():
    image, point = np.zeros((60, 50, 3), np.uint8), np.array([[25.0, 30.0]])
    shapes = [draw_overlay(image, point, np.ones(1), Skeleton.plain(1), max_side=side).shape[:2] for side in (1920, 130, 48)]
    assert shapes == [(180, 150), (120, 100), (48, 40)]


def test_small_images_are_enlarged_until_names_can_be_read():
    image, point, named = np.zeros((60, 50, 3), np.uint8), np.array([[25.0, 30.0]]), Skeleton(numbers=(0,), names=("nose",))
    shapes = [draw_overlay(image, point, np.ones(1), named, max_side=side).shape[:2] for side in (1920, 130, 48)]
    assert shapes == [(480, 400), (120, 100), (48, 40)]
    assert draw_overlay(np.zeros((384, 500, 3), np.uint8), point, np.ones(1), named, max_side=1920).shape == (384, 500, 3)


def test_numbers_tell_many_keypoints_apart():
    image = np.zeros((60, 50, 3), np.uint8)
    points = np.stack(np.meshgrid([8.0, 20.0, 32.0], [8.0, 20.0, 32.0, 44.0, 56.0]), axis=-1).reshape(-1, 2)
    few = draw_overlay(image, points[:12], np.ones(12), Skeleton.plain(12), max_side=1920)
    many = draw_overlay(image, points, np.ones(15), Skeleton.plain(15), max_side=1920)
    assert (few.shape[:2], many.shape[:2]) == ((180, 150), (480, 400))
    assert (many == 255).all(axis=-1).sum() > 100  # white numbers
    assert draw_overlay(image, points, np.ones(15), Skeleton.plain(15), max_side=1920, still=False).shape == (180, 150, 3)


def test_names_that_would_meet_stand_apart_and_stay_in_place_in_a_video():
    points, named = np.array([[80.0, 60.0], [90.0, 60.0]]), Skeleton(numbers=(0, 1), names=("left eye", "right eye"))
    still, frame = (
        draw_keypoints(BLACK, points, skeleton=named, numbers=True, still=still).any(axis=-1) for still in (True, False)
    )
    assert still.sum() > frame.sum()  # no name covers another
    moved = draw_keypoints(BLACK, points + (0.0, 20.0), skeleton=named, numbers=True, still=False).any(axis=-1)
    assert np.array_equal(moved[20:], frame[:-20])


def test_dark_marks_have_a_white_edge():
    assert (edge_colour((128, 0, 0)), edge_colour((230, 25, 75))) == ((255, 255, 255), (0, 0, 0))
    points = np.full((9, 2), np.nan)
    points[8] = (50.0, 40.0)  # maroon
    assert (draw_keypoints(BLACK, points) == 255).all(axis=-1).any()


def test_overlays_are_scaled_down_and_points_move_along():
    image = np.zeros((1000, 600, 3), np.uint8)
    shown = draw_overlay(image, np.array([[402.0, 101.0]]), np.ones(1), Skeleton.plain(1), max_side=250)
    assert shown.shape == (250, 150, 3)
    ys, xs = np.nonzero(shown.any(axis=-1))
    assert abs(xs.mean() - ((402.0 + 0.5) / 4 - 0.5)) < 0.5
    assert abs(ys.mean() - ((101.0 + 0.5) / 4 - 0.5)) < 0.5
