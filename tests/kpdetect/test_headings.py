"""The common heading of objects that have all directions: their axis, the choice of the head's end, and points in the image."""

import cv2
import numpy as np
import pytest

from kpdetect.coords import apply_affine
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.headings import Headings, agreeing_signs, fit_headings, principal_axis, turn_matrix
from kpdetect.discovery.matcher import Matcher, feature_counts, fit_matcher
from kpdetect.errors import FormatError

SIDE, CELLS = 96, 24
HEAD, TAIL = np.array([26.0, 0.0]), np.array([-26.0, 0.0])
"""Places from the centre of the object, in pixels, for the angle 0."""
CONFIG = CorrespondenceConfig(cells=CELLS, components=3, clusters=3, headings=True, temperature=0.01)


def mean_colours(images):
    """Features of 24x24 cells: their mean colour."""
    count, step = len(images), SIDE // CELLS
    cells = images.reshape(count, CELLS, step, CELLS, step, 3).mean(axis=(2, 4)).astype(np.float32) / 255
    return np.concatenate([cells, np.full((*cells.shape[:3], 1), 0.3, np.float32)], axis=-1)


@pytest.fixture(scope="module")
def animals():
    """24 images of an animal with a red head and a green tail, and a blue shadow that always falls to the lower right."""
    source = np.random.default_rng(0)
    images, heads, tails = np.zeros((24, SIDE, SIDE, 3), np.uint8), [], []
    for image in images:
        angle, centre = source.uniform(-np.pi, np.pi), 47.5 + source.uniform(-6, 6, 2)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        head, tail = centre + turn @ HEAD, centre + turn @ TAIL
        for colour, ends, away in (((0, 0, 150), (head, tail), 3), ((200, 200, 200), (head, tail), 0)):
            (x0, y0), (x1, y1) = ((end + away).round().astype(int).tolist() for end in ends)
            cv2.line(image, (x0, y0), (x1, y1), colour, 13)
        for colour, end in (((255, 0, 0), head), ((0, 255, 0), tail)):
            cv2.circle(image, tuple(end.round().astype(int).tolist()), 7, colour, -1)
        heads.append(head)
        tails.append(tail)
    return images, np.array(heads), np.array(tails)


def test_the_axis_is_that_of_the_large_part_near_the_centre():
    mask = np.zeros((12, 16), bool)
    mask[4:7, 5:12] = True  # rows 4 to 6, columns 5 to 11
    mask[0, :] = mask[:, 15] = True  # a wall
    centre, angle = principal_axis(mask)
    np.testing.assert_allclose(centre, [8, 5])
    assert np.sin(angle) == pytest.approx(0, abs=1e-9)
    _, upright = principal_axis(mask.T)
    assert np.cos(upright) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(principal_axis(np.zeros((3, 5), bool))[0], [2, 1])  # an empty mask counts as full


def test_a_turn_moves_the_centre_to_the_middle_and_the_direction_to_the_right():
    matrix = turn_matrix(np.array([1.0, 3.0]), np.pi / 2, cells=8, side=32)  # cell (1, 3): pixel (5.5, 13.5)
    np.testing.assert_allclose(apply_affine(matrix, np.array([[5.5, 13.5], [5.5, 17.5]])), [[15.5, 15.5], [19.5, 15.5]])
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(1)  # no mirror image


def test_signs_agree_up_to_a_common_one():
    vectors = np.array([[3.0, 1], [-2, 1], [4, -1], [-0.5, 0.3], [-3, 0]])
    sign = agreeing_signs(vectors)
    assert (sign * sign[0]).tolist() == [1, -1, 1, -1, -1]
    assert abs(agreeing_signs(np.ones((1, 2)))[0]) == 1


def test_all_heads_end_on_one_side(animals, tmp_path):
    images, heads, tails = animals
    headings, turned = fit_headings(images, mean_colours, CONFIG)
    moved = np.array([apply_affine(*pair) for pair in zip(turned.matrices, np.stack([heads, tails], axis=1), strict=True)])
    along = moved[:, 0, 0] - moved[:, 1, 0]
    assert (np.sign(along) == np.sign(along[0])).all()
    assert (np.abs(along) > 45).all()  # head and tail are 52 pixels apart: the axis is that of the object
    headings.write(tmp_path / "headings.npz", "key")
    again = Headings.read(tmp_path / "headings.npz", "key")
    np.testing.assert_array_equal(again(images[3:5], mean_colours).images, turned.images[3:5])
    assert Headings.read(tmp_path / "headings.npz", "other") is None
    np.savez(tmp_path / "headings.npz", key=np.array("key"))
    with pytest.raises(FormatError, match="is missing"):
        Headings.read(tmp_path / "headings.npz", "key")


@pytest.mark.slow
def test_keypoints_keep_their_distance_to_head_and_tail_in_every_direction(animals, tmp_path):
    images, heads, tails = animals
    counted = []

    def features(squares):
        counted.append(len(squares))
        return mean_colours(squares)

    matcher, turned = fit_matcher(images, features, 4, CONFIG)
    assert turned.shape == images.shape
    assert sum(counted) == feature_counts(CONFIG)[0] * len(images)
    counted.clear()
    points = matcher(images, features).points
    assert sum(counted) == feature_counts(CONFIG)[1] * len(images)
    for ends in (heads, tails):
        away = np.linalg.norm(points - ends[:, None], axis=-1)  # 52 pixels of difference if it were exchanged
        assert np.ptp(away, axis=0).max() < 8
    matcher.write(tmp_path, "key")
    np.testing.assert_array_equal(Matcher.read(tmp_path, "key", CONFIG)(images[:2], features).points, points[:2])
    assert Matcher.read(tmp_path, "other", CONFIG) is None
    (tmp_path / "headings.npz").unlink()
    assert Matcher.read(tmp_path, "key", CONFIG) is None
    assert Matcher.read(tmp_path, "key", CorrespondenceConfig(headings=False)).headings is None
