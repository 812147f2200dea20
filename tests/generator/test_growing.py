"""Progressive growing: which size is trained when, fading, resting keypoints, and continuing in the middle of it."""

import pytest
import torch
from torch.nn import functional

from generator.config import GrowthConfig, ModelConfig
from generator.growing import Stage, faded, seen_at, stage_at
from generator.keypoints import latents_of
from generator.model import Generator
from generator.training.discriminator import GrowingDiscriminator, build_discriminator
from kpdetect.config import apply_overrides
from kpdetect.training.checkpoints import load_checkpoint, load_weights
from tests.builders.generators import GROWING
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_generator


def test_stages_follow_from_the_images_seen():
    model = ModelConfig(size=256, start_size=64, widths=(8, 8, 8), start="learned", separate_background=False, progressive=True)
    growth = GrowthConfig(images_stable=100, images_adapting=50)
    assert model.image_sizes == (64, 128, 256)
    found = [stage_at(images, model, growth) for images in (0, 99, 100, 125, 150, 249, 250, 299, 300, 10_000)]
    assert [(each.size, each.alpha) for each in found] == [
        (64, 1), (64, 1), (128, 0), (128, 0.5), (128, 1), (128, 1), (256, 0), (256, 0.98), (256, 1), (256, 1),
    ]  # fmt: skip
    assert stage_at(0, model.model_copy(update={"progressive": False}), growth) == Stage(size=256)


def test_what_a_fading_stage_sees():
    images = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(seen_at(images, Stage(size=4)), images)
    small = torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]])
    assert torch.equal(seen_at(images, Stage(size=2)), small)
    mixed = seen_at(images, Stage(size=4, alpha=0.25))
    assert mixed[0, 0, 0, 1] == 0.25 * 1 + 0.75 * 2.5
    assert torch.equal(faded(images, small, Stage(size=4, alpha=0.25)), mixed)


def test_a_growing_model_fades_its_next_size_in(first_is_32):
    torch.manual_seed(0)
    network = Generator(GROWING.model).eval()
    latents = latents_of(0, 0, 2, 8)
    small, start, half, whole = (
        network(latents, stage).image for stage in (Stage(size=32), Stage(size=64, alpha=0), Stage(size=64, alpha=0.5), None)
    )
    assert small.shape[-1] == 32
    assert half.shape[-1] == 64
    before = functional.interpolate(small.atanh(), scale_factor=2, mode="nearest")
    torch.testing.assert_close(start.atanh(), before, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(half.atanh(), (before + whole.atanh()) / 2, atol=1e-4, rtol=1e-3)


def test_a_growing_discriminator_fades_too(first_is_32):
    torch.manual_seed(0)
    network = build_discriminator(GROWING.model, GROWING.optimiser)
    assert isinstance(network, GrowingDiscriminator)
    images = torch.randn(3, 3, 64, 64)
    reduced = functional.avg_pool2d(images, 2)
    torch.testing.assert_close(network(images, Stage(size=64, alpha=0)), network(reduced, Stage(size=32)))
    assert not torch.allclose(network(images, Stage(size=64)), network(images, Stage(size=64, alpha=0.5)))


@pytest.mark.slow
def test_growing_is_resumed_exactly_and_its_keypoints_rest(blob_folder, tmp_path, first_is_32):
    # Batches of 4: steps 0, 1 at 32 pixels, 2 and 3 fade 64 in, 4 is at 64.
    fit_generator(blob_folder, tmp_path / "whole", apply_overrides(GROWING, ["steps=5", "checkpoint_every=1"]), CPU)
    poses, sizes = [], []
    for steps in range(1, 6):
        fit_generator(blob_folder, tmp_path / "parts", apply_overrides(GROWING, [f"steps={steps}"]), CPU)
        poses.append(load_checkpoint(tmp_path / "parts" / "checkpoint.pt", "generator")["generator"]["parts.pose.4.weight"])
        sizes.append(load_weights(tmp_path / "parts" / "model.safetensors", "generator")[1]["drawn_size"])
    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("whole", "parts")]
    assert states_equal(ends[0]["generator"], ends[1]["generator"])
    assert states_equal(ends[0]["discriminator"], ends[1]["discriminator"])
    assert [torch.equal(before, after) for before, after in zip(poses, poses[1:], strict=False)] == [False, True, True, False]
    assert sizes[0] == 32
    assert sizes[-1] == 64
    awake = apply_overrides(GROWING, ["optimiser.rest_when_adapting=false", "steps=3"])
    fit_generator(blob_folder, tmp_path / "awake", awake, CPU)
    late = load_checkpoint(tmp_path / "awake" / "checkpoint.pt", "generator")["generator"]["parts.pose.4.weight"]
    assert not torch.equal(late, poses[2])
