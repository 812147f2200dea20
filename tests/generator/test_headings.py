"""Objects in every direction: keypoints, foreground and mask turn together; upright models are as before."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from generator.config import DataConfig, ModelConfig
from generator.editing.parts import mixed, moved, posed, turned
from generator.heading import best_headings, headings_of, turn_images, turn_points
from generator.keypoints import Latents, Parts, latents_of
from generator.model import Drawing, Generator
from generator.stream import PairStream
from generator.training.batches import RealBatches
from tests.builders.generators import TEST_MODEL, write_generator

ANY = ModelConfig(**(TEST_MODEL.model_dump() | {"orientation": "any", "pose_spread": 0.4, "pose_divisor": 1}))


def headed(latents: Latents, degrees: float) -> Latents:
    """The same latents with one heading for all images."""
    angle = math.radians(degrees)
    pose = torch.cat(
        [torch.tensor([[math.cos(angle), math.sin(angle)]]).expand(len(latents.pose), 2), latents.pose[:, 2:]], dim=1
    )
    return replace(latents, pose=pose)


def drawn(degrees: float, config: ModelConfig = ANY) -> Drawing:
    torch.manual_seed(4)
    with torch.no_grad():
        return Generator(config).eval()(headed(latents_of(0, 0, 3, config.noise_width), degrees))


def test_points_and_pixels_turn_clockwise_by_the_same_angle() -> None:
    quarter = torch.tensor([[0.0, 1.0]])
    points = torch.tensor([[[0.5, 0.0], [0.25, -0.75]]])
    torch.testing.assert_close(turn_points(points, quarter), torch.tensor([[[0.0, 0.5], [0.75, 0.25]]]))
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 3, 5] = 1  # at (3 / 8, -1 / 8), which becomes (1 / 8, 3 / 8)
    assert turn_images(image, quarter, "zeros")[0, 0].argmax().item() == 5 * 8 + 4
    slanted = torch.tensor([[0.6, 0.8]])
    torch.testing.assert_close(turn_points(points[:, :1], slanted), torch.tensor([[[0.3, 0.4]]]))
    torch.testing.assert_close(best_headings(points, turn_points(points, slanted) + 0.3), slanted)
    torch.testing.assert_close(headings_of(torch.tensor([[3.0, 4.0, 9.0]])), slanted)


def test_a_heading_turns_keypoints_foreground_and_mask_and_leaves_the_background() -> None:
    plain, quarter = drawn(0), drawn(90)
    x, y = plain.keypoints.unbind(dim=2)
    torch.testing.assert_close(quarter.keypoints, torch.stack([-y, x], dim=2))
    for name in ("foreground", "mask"):
        before, after = getattr(plain, name), getattr(quarter, name)
        assert before.std() > 1e-3
        torch.testing.assert_close(after, before.rot90(-1, (2, 3)), atol=1e-5, rtol=0)
    assert torch.equal(quarter.background, plain.background)  # type: ignore[arg-type]
    upright = ANY.model_copy(update={"orientation": "upright"})
    torch.manual_seed(4)
    silent = headed(latents_of(0, 0, 3, 8), 0)
    silent = replace(silent, pose=torch.cat([torch.zeros(3, 2), silent.pose[:, 2:]], dim=1))
    torch.testing.assert_close(Generator(upright).eval()(silent).image, plain.image, atol=1e-5, rtol=0)


def test_in_bfloat16_keypoints_stay_exact() -> None:
    torch.manual_seed(4)
    model = Generator(ANY).eval()
    with torch.autocast("cpu", torch.bfloat16):
        low = model(headed(latents_of(0, 0, 3, 8), 50))
    assert torch.equal(low.keypoints, drawn(50).keypoints)
    assert low.image.isfinite().all()


def test_stored_keypoints_turn_too(tmp_path: Path) -> None:
    stream = PairStream(write_generator(tmp_path, orientation="any", pose_spread=0.4), "cpu", seed=1)
    parts = stream.parts(0, 64)
    torch.testing.assert_close(parts.keypoints, stream.network.parts(latents_of(1, 0, 64, 8)).keypoints, atol=1e-3, rtol=0)
    assert parts.headings is not None
    cosine, sine = parts.headings.unbind(dim=1)
    assert min(torch.histc(torch.atan2(sine, cosine), bins=4, min=-math.pi, max=math.pi)) > 6  # uniform: 16 each


def test_edits_turn_the_object_with_its_keypoints() -> None:
    none = torch.zeros(1, 4)
    points = torch.tensor([[[0.4, 0.0], [-0.4, 0.0], [0.0, 0.2]]])
    upright = Parts(keypoints=points, embeddings=none[:, None].expand(1, 3, 4), background=none, centre=none[:, :2])
    east = upright.turned(torch.tensor([[1.0, 0.0]]))
    south = upright.turned(torch.tensor([[0.0, 1.0]]))
    about = turned(east, degrees=90).headings
    torch.testing.assert_close(about, south.headings, atol=1e-6, rtol=0)
    torch.testing.assert_close(posed(east, south.keypoints).headings, south.headings, atol=1e-6, rtol=0)
    half = mixed(east, south, 0.5)
    torch.testing.assert_close(half.headings, torch.full((1, 2), 0.5**0.5))
    torch.testing.assert_close(half.upright().keypoints, points)
    local = moved(south, [0], (0.1, 0.0), local=True)
    torch.testing.assert_close(local.upright().origins, points)


def test_training_images_turn_by_quarters_without_borders() -> None:
    ramp = np.broadcast_to((np.arange(20) * 10)[None, :, None], (20, 20, 3)).astype(np.uint8)
    images = np.broadcast_to(ramp, (8, 20, 20, 3))
    whole = DataConfig(crop_share=1, flip=False)
    seen = torch.cat([RealBatches(images, 20, 8, whole, seed=2, turned=True).at(step) for step in range(8)])
    first = torch.from_numpy(ramp.transpose(2, 0, 1).copy()).float() / 127.5 - 1
    turns = torch.stack([first.rot90(count, (1, 2)) for count in range(4)])
    far = (seen[:, None] - turns[None]).abs().amax(dim=(2, 3, 4))
    assert far.min(dim=1).values.max() < 1e-4
    assert min(torch.bincount(far.argmin(dim=1), minlength=4)) > 6  # uniform: 16 each


def test_a_model_without_background_network_has_no_headings() -> None:
    with pytest.raises(ValueError, match="set separate_background to true"):
        ModelConfig(**(TEST_MODEL.model_dump() | {"orientation": "any", "separate_background": False}))


def test_a_prior_of_the_mask_adds_at_keypoints_and_subtracts_elsewhere() -> None:
    free, held = drawn(0), drawn(0, ANY.model_copy(update={"mask_prior": 2.0}))
    change = held.mask.logit() - free.mask.logit()
    assert change.max() > 1.5
    assert float(change.min()) == pytest.approx(-2, abs=1e-3)
    place = ((held.keypoints[0, 0] + 1) * 16 - 0.5).round().int().tolist()
    assert change[0, 0, place[1], place[0]] > 1.9
