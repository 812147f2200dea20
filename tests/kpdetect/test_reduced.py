"""Large JPEG files decoded at less than their size: exact coordinates, turned images, and keypoints that hardly move."""

import cv2
import numpy as np
import pytest
from PIL import Image

import kpdetect
from kpdetect.coords import apply_affine
from kpdetect.images.arrays import fit_region
from kpdetect.images.decoding import opened, opened_and_hashed
from kpdetect.images.image_files import read_image, read_image_and_hash
from kpdetect.images.reduced import MARGIN, factor_for, mean_over_areas, read_at_least, read_reduced
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.toy.render import render
from kpdetect.toy.scene import sample_scene

ORIENTATION = 0x0112


def photograph(path, width, height, *, orientation=1, seed=5, quality=92):
    """A cartoon face enlarged, with a camera's noise, as a JPEG file."""
    face = render(sample_scene(11, seed), 96).image
    picture = cv2.resize(face, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noise = np.random.default_rng(seed).normal(0, 4, (500, 500, 1)).astype(np.int16)
    picture += np.tile(noise, (-(-height // 500), -(-width // 500), 1))[:height, :width]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path, quality=quality, exif=exif)
    return path


def read(path, factor):
    with opened(path) as picture:
        return read_reduced(picture, path, lambda size: factor)


def test_means_over_areas_by_hand():
    row = np.array([0, 40, 80, 120, 200], np.uint8)
    image = np.repeat(row[None, :, None], 3, axis=2).repeat(2, axis=0)
    # pixels from 0.5 to 2.5 and from 2.5 to 4.5: (0/2 + 40 + 80/2) / 2 and (80/2 + 120 + 200/2) / 2
    assert mean_over_areas(image, (0.5, 0.0, 4.0, 2.0), 2)[0, :, 0].tolist() == [40, 130]
    # beyond the left edge its pixel goes on: (0 + 0) / 2 and (40 + 80) / 2
    assert mean_over_areas(image, (-1.0, 0.0, 4.0, 2.0), 2)[1, :, 2].tolist() == [0, 60]


def test_means_over_areas_are_those_of_opencv():
    image = np.random.default_rng(0).integers(0, 256, (211, 157, 3), dtype=np.uint8)
    for box in ((0.0, 0.0, 157.0, 211.0), (20.0, 31.0, 128.0, 128.0), (-9.0, 140.0, 100.0, 100.0)):
        expected = fit_region(image, box, 32).astype(int)
        assert np.abs(mean_over_areas(image, box, 32).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("shown", "wanted", "factor"),
    [((4096, 4096), 512, 8), ((4095, 9000), 512, 4), ((1023, 5000), 512, 1), ((1024, 1024), 512, 2)],
)
def test_the_largest_factor_that_leaves_enough(shown, wanted, factor):
    assert factor_for(shown, wanted) == factor


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_of_odd_sides_shows_the_same_square(tmp_path, factor, orientation):
    path = photograph(tmp_path / "a.jpg", 413, 309, orientation=orientation)
    whole, small = read_image(path), read(path, factor)
    height, width = whole.shape[:2]
    assert small.size == (height, width)
    assert small.factor == factor
    assert small.pixels.shape[:2] == (-(-height // factor), -(-width // factor))
    left, top = small.origin
    turned_x, turned_y = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    assert (left < 0, top < 0) == (turned_x and width % factor > 0, turned_y and height % factor > 0)
    centre = ((np.array([[3.0, 5.0]]) + 0.5) * factor - 0.5) + small.origin  # of pixel (3, 5) in the whole image
    np.testing.assert_allclose(apply_affine(small.matrix, centre), [[3.0, 5.0]], atol=1e-12)
    box = (float(width // 7), float(height // 5), 200.0, 200.0)
    side = 200 // (4 * factor)
    expected = fit_region(whole, box, side).astype(int)
    shifted = fit_region(whole, (box[0] + factor / 2, box[1] + factor / 2, 200.0, 200.0), side).astype(int)
    assert np.abs(small.square(box, side) - expected).mean() < 0.6 * np.abs(shifted - expected).mean()


def test_only_jpeg_is_reduced_and_the_hash_stays(tmp_path):
    path = photograph(tmp_path / "a.jpg", 200, 120)
    Image.open(path).save(tmp_path / "b.png")
    assert (read(path, 4).factor, read(tmp_path / "b.png", 4).factor) == (4, 1)
    Image.open(path).convert("CMYK").save(tmp_path / "c.jpg")
    assert read(tmp_path / "c.jpg", 4).factor == 1
    grey = Image.open(path).convert("L")
    grey.save(tmp_path / "d.jpg")
    assert read(tmp_path / "d.jpg", 4).pixels.shape == (30, 50, 3)
    with opened_and_hashed(path) as (_, digest):
        assert digest == read_image_and_hash(path)[1]
    assert read_at_least(path, 100).pixels.shape == (60, 100, 3)
    assert read_at_least(path, 101).factor == 1


def test_a_truncated_file_is_refused_at_every_size(tmp_path):
    path = photograph(tmp_path / "a.jpg", 400, 300)
    path.write_bytes(path.read_bytes()[:-2000])
    for factor in (1, 2, 8):
        with pytest.raises(kpdetect.errors.InputError, match="truncated"):
            read(path, factor)


@pytest.mark.slow
@pytest.mark.parametrize("orientation", [1, 6])
def test_keypoints_of_photographs_hardly_move(tmp_path, orientation):
    """Rounding the square to 8 bits alone moves them by 0.014 pixels of the square on average."""
    paths = [photograph(tmp_path / f"{seed}.jpg", 4000, 3000, orientation=orientation, seed=seed) for seed in range(2)]
    predictor = kpdetect.load("toy-32", "cpu", engine="plain")
    whole = [predictor.fit_file(path)[0] for path in paths]
    predictor.engine.name = "torch"
    small = [predictor.fit_file(path)[0] for path in paths]
    assert [item.size for item in small] == [item.size for item in whole]
    assert all(np.array_equal(one.matrix, other.matrix) for one, other in zip(whole, small, strict=True))
    assert not all(np.array_equal(one.square, other.square) for one, other in zip(whole, small, strict=True))
    (before, _), (after, _) = predictor.predict_fitted(whole), predictor.predict_fitted(small)
    distance = np.linalg.norm(before - after, axis=-1).mean() / (3000 / predictor.side)
    assert distance < 0.05


@pytest.mark.slow
def test_predictions_and_overlays_of_a_photograph_are_in_its_own_pixels(tmp_path):
    (tmp_path / "in").mkdir()
    photograph(tmp_path / "in" / "a.jpg", 2100, 1500)
    for engine in ("plain", "torch"):
        config = PredictConfig(engine=engine, max_side=500)
        predict_inputs("toy-32", [str(tmp_path / "in")], tmp_path / engine, config, "cpu")
    plain, fast = (Predictions.read(tmp_path / engine) for engine in ("plain", "torch"))
    assert fast.sizes.tolist() == [[1500, 2100]]
    assert np.linalg.norm(plain.keypoints_px - fast.keypoints_px, axis=-1).mean() < 0.2 * 1500 / 64
    one, other = (read_image(tmp_path / engine / "overlays" / "a.png").astype(int) for engine in ("plain", "torch"))
    assert abs(one.shape[0] - other.shape[0]) <= 1
    assert one.shape[1] == other.shape[1] == 500
    rows = min(one.shape[0], other.shape[0])
    assert np.abs(one[:rows] - other[:rows]).mean() < 6
    assert factor_for((1500, 1500), MARGIN * 64) == 4
