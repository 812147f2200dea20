"""Augmentation: points move with their pixels, and everything follows from the seed."""

import numpy as np
import pytest

from kpdetect.coords import apply_affine, to_normalised, to_pixels
from kpdetect.data.augment import AugmentConfig, PairAugmenter

HEIGHT, WIDTH = 48, 72
GEOMETRY = AugmentConfig(photometric=0, occlusion=0)


def dot(x_px, y_px, sigma=1.5):
    """A bright Gaussian dot on black, centred between pixels where need be."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    value = 255 * np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * sigma**2))
    return np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=2)


def centre_of_mass(image):
    """(x, y) of the brightness, in pixels."""
    weight = image[..., 0].astype(np.float64)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("place_px", [(36.0, 20.0), (29.3, 25.8), (44.6, 17.1)])
def test_a_bright_dot_lands_where_its_point_lands(place_px):
    augmenter = PairAugmenter(GEOMETRY)
    keypoints = to_normalised(np.array([place_px]), (HEIGHT, WIDTH)).astype(np.float32)
    moves = []
    for seed in range(25):
        image, moved = augmenter(dot(*place_px), keypoints, seed)
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert image.dtype == np.uint8
        assert moved.dtype == np.float32
        landed_px = to_pixels(moved.astype(np.float64), (HEIGHT, WIDTH))[0]
        assert np.abs(centre_of_mass(image) - landed_px).max() < 0.25
        moves.append(landed_px - place_px)
    assert np.abs(moves).max(axis=0).min() > 3  # it moved, in x and in y


def test_nothing_changes_when_everything_is_switched_off():
    still = PairAugmenter(AugmentConfig(scale=0, rotation=0, shift=0, photometric=0, occlusion=0))
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    keypoints = np.array([[0.25, -0.5], [1.5, 0.0]], np.float32)
    same, moved = still(image, keypoints, 5)
    np.testing.assert_array_equal(same, image)
    np.testing.assert_allclose(moved, keypoints, atol=1e-6)


def test_the_warp_is_a_similarity_within_its_limits():
    augmenter = PairAugmenter(AugmentConfig(scale=0.25, rotation=20, shift=0.1))
    middle = np.array([[(WIDTH - 1) / 2, (HEIGHT - 1) / 2]])
    factors, angles, shifts = [], [], []
    for seed in range(300):
        matrix = augmenter.warp(np.random.default_rng(seed), (HEIGHT, WIDTH))
        (a, b), (c, d) = matrix[:, :2]
        assert a == pytest.approx(d)
        assert b == pytest.approx(-c)
        assert a * d - b * c > 0  # never mirrored: left and right are different keypoints
        factors.append(np.hypot(a, c))
        angles.append(np.rad2deg(np.arctan2(c, a)))
        shifts.append((apply_affine(matrix, middle) - middle)[0])
    assert 0.8 <= min(factors) < 0.82
    assert 1.23 < max(factors) <= 1.25
    assert -20 <= min(angles) < -18
    assert 18 < max(angles) <= 20
    assert np.abs(shifts).max(axis=0) == pytest.approx([0.1 * WIDTH, 0.1 * HEIGHT], rel=0.05)


def test_scale_and_rotation_leave_the_centre_where_it_is():
    augmenter = PairAugmenter(AugmentConfig(shift=0))
    for seed in range(10):
        matrix = augmenter.warp(np.random.default_rng(seed), (HEIGHT, WIDTH))
        np.testing.assert_allclose(apply_affine(matrix, np.array([[35.5, 23.5]])), [[35.5, 23.5]], atol=1e-9)


def test_equal_seeds_give_equal_pairs_whatever_came_before():
    image = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    keypoints = np.array([[0.1, -0.3], [0.6, 0.2]], np.float32)
    one, other = PairAugmenter(AugmentConfig(occlusion=0.5)), PairAugmenter(AugmentConfig(occlusion=0.5))
    seeds = [3, 2**40 + 1, 7, 2**62, 3]
    forwards = [one(image, keypoints, seed) for seed in seeds]
    backwards = [other(image, keypoints, seed) for seed in reversed(seeds)][::-1]
    for first, second in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])
    assert len({pixels.tobytes() for pixels, _ in forwards}) == 4


def test_pixel_transforms_leave_points_alone():
    image = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    augmenter = PairAugmenter(AugmentConfig(scale=0, rotation=0, shift=0, photometric=1, occlusion=1))
    keypoints = np.array([[0.1, -0.3]], np.float32)
    for seed in range(20):
        changed, moved = augmenter(image, keypoints, seed)
        assert not np.array_equal(changed, image)  # a patch is always covered
        np.testing.assert_allclose(moved, keypoints, atol=1e-6)


@pytest.mark.slow
def test_the_changes_of_an_image_are_drawn_independently():
    """Chance decides on colours (0.5 * 0.8), quality (0.5 * 0.5) and patches (0.3); strengths do not follow the warp."""
    augmenter = PairAugmenter(AugmentConfig(photometric=0.5, occlusion=0.3))
    image, keypoints = np.full((8, 8, 3), 100, np.uint8), np.zeros((1, 2), np.float32)
    augmenter(image, keypoints, 0)
    sequential, cover = augmenter.pixels.local.transform.transforms
    colour, quality = (group.transforms for group in sequential.transforms)
    drawn = []
    for seed in range(600):
        for leaf in (*colour, *quality, cover):
            leaf.params = {}  # those of the call before
        augmenter(image, keypoints, seed)
        factor = np.hypot(*augmenter.warp(np.random.default_rng(seed), (8, 8))[:, 0])
        used = [any(leaf.params for leaf in group) for group in (colour, quality, [cover])]
        kind = next((number for number, leaf in enumerate(quality) if leaf.params), np.nan)
        drawn.append([factor, *used, colour[0].params.get("brightness", np.nan), kind])
    scale, coloured, changed, covered, brightness, kind = np.array(drawn, dtype=np.float64).T
    np.testing.assert_allclose([coloured.mean(), changed.mean(), covered.mean()], [0.4, 0.25, 0.3], atol=0.05)
    assert covered[changed == 1].mean() == pytest.approx(0.3, abs=0.1)
    assert covered[coloured == 1].mean() == pytest.approx(0.3, abs=0.1)
    for one, other in ((scale, brightness), (scale, kind), (scale, covered), (brightness, kind), (brightness, covered)):
        both = np.isfinite(one) & np.isfinite(other)
        assert both.sum() > 30
        assert abs(np.corrcoef(one[both], other[both])[0, 1]) < 3.5 / np.sqrt(both.sum())
