"""Real images as the generator's training sees them, and the pictures and numbers that a run leaves."""

import json

import numpy as np
import pytest
import torch

from generator.architectures import architecture
from generator.config import DataConfig
from generator.keypoints import latents_of
from generator.model import Generator
from generator.sample_sheet import sample_sheet, to_uint8
from generator.training.batches import RealBatches
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.trainings import fit_generator


def ramps(count: int = 8, side: int = 50):
    """Red rises to the right by 4 a pixel, green downwards by 2."""
    red, green = np.arange(side) * 4, np.arange(side) * 2
    image = np.stack(np.broadcast_arrays(red[None], green[:, None], 7), axis=2).astype(np.uint8)
    return np.broadcast_to(image, (count, side, side, 3))


def test_random_crops_keep_their_share_stay_inside_and_are_mirrored_half_of_the_time():
    images = torch.cat([RealBatches(ramps(), 40, 8, DataConfig(crop_share=0.7), seed=2).at(step) for step in range(16)])
    levels = (images + 1) * 127.5
    across = (levels[:, 0, 20, -1] - levels[:, 0, 20, 0]) / 4 / 39  # pixels of the 50 per pixel of the 40
    down = (levels[:, 1, -1, 20] - levels[:, 1, 0, 20]) / 2 / 39
    share = down * 40 / 50
    assert share.min() > 0.7 - 1e-3
    assert share.max() < 1
    assert share.min() < 0.75
    assert share.max() > 0.95
    torch.testing.assert_close(across.abs(), down, atol=1e-3, rtol=0)  # crops are square
    assert 0.35 < float((across < 0).float().mean()) < 0.65
    assert levels[:, 0].min() >= 0
    assert levels[:, 0].max() <= 49 * 4 + 1e-3
    assert not (levels[:, 0].amin(dim=(1, 2)) < 0.5).all()  # they begin at different places


def test_without_crop_and_flip_the_image_is_whole():
    images = RealBatches(ramps(), 50, 2, DataConfig(crop_share=1, flip=False), seed=2).at(0)
    torch.testing.assert_close((images[0] + 1) * 127.5, torch.from_numpy(ramps()[0].transpose(2, 0, 1).copy()).float())


@pytest.mark.parametrize(("name", "rows"), [("tuned", 5), ("base", 3)])
def test_a_sheet_shows_images_keypoints_mask_and_both_layers(name, rows):
    model = architecture(CONFIG, name).model
    torch.manual_seed(0)
    drawing = Generator(model).eval()(latents_of(0, 0, 4, model.noise_width))
    with torch.no_grad():
        sheet = sample_sheet(drawing)
    side = sheet.shape[1] // 4
    assert sheet.shape == (rows * side, 4 * side, 3)
    shown = [sheet[row * side : (row + 1) * side] for row in range(rows)]
    factor = side // 32
    enlarged = to_uint8(drawing.image)[2].repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(shown[0][:, 2 * side : 3 * side], enlarged)
    assert (shown[1] != shown[0]).any()
    np.testing.assert_array_equal(shown[2][0, ::side, 0], to_uint8(drawing.mask * 2 - 1)[:, 0, 0, 0])
    if rows == 5:
        np.testing.assert_array_equal(shown[3][0, ::side], to_uint8(drawing.foreground)[:, 0, 0])
        np.testing.assert_array_equal(shown[4][0, ::side], to_uint8(drawing.background)[:, 0, 0])


@pytest.mark.slow
def test_lines_of_metrics_hold_what_tells_a_healthy_run(blob_folder, tmp_path):
    fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU)
    (*_, line) = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert set(line) == {
        "step", "images", "seconds", "rate", "loss_generator", "loss_discriminator", "logit_real", "logit_fake", "r1",
        "keypoint_spread", "keypoint_motion", "image_variation", "mask_area",
    }  # fmt: skip
    assert line["images"] == 24
    assert 0 < line["mask_area"] < 1
